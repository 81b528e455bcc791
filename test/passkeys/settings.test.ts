import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readPasskeySettings } from '../../src/passkeys/settings.js'

const good = { rpId: 'example.com', rpName: 'Example', origins: ['https://app.example.com'] }
const read = (change: object = {}) => readPasskeySettings({ ...good, ...change }, 'authentication.passkey')

describe('authentication.passkey', () => {
  for (const change of [
    {},
    { origins: ['https://example.com', 'https://app.example.com:8443'] },
    { origins: ['https://example.com', `android:apk-key-hash:${'A'.repeat(43)}`] },
    { rpId: 'localhost', origins: ['http://localhost:3030', 'https://localhost'] },
    { rpId: 'xn--bcher-kva.example', origins: ['https://xn--bcher-kva.example'] }
  ]) {
    it(`may be ${JSON.stringify(change)}`, () => {
      assert.deepEqual(read(change), { ...good, ...change })
    })
  }

  const wrong: [change: object, message: RegExp][] = [
    [{ rpId: 'https://example.com' }, /^authentication\.passkey\.rpId is "https:\/\/example\.com": write/],
    [{ rpId: 'Example.com' }, /^authentication\.passkey\.rpId is/],
    [{ rpId: '127.0.0.1' }, /^authentication\.passkey\.rpId is/],
    [{ rpName: '' }, /^authentication\.passkey\.rpName is/],
    [{ origins: [] }, /^authentication\.passkey\.origins is/],
    [{ origins: ['https://example.com/'] }, /^authentication\.passkey\.origins\.0 is/],
    [{ origins: ['http://example.com'] }, /^authentication\.passkey\.origins\.0 is/],
    [{ origins: ['https://*.example.com'] }, /^authentication\.passkey\.origins\.0 is/],
    [{ origins: 'https://example.com' }, /^authentication\.passkey\.origins is/],
    [{ rpID: 'example.com' }, /^authentication\.passkey\.rpID is not a known setting/],
    [{ origins: ['https://example.com.evil.example'] }, /, which is not on example\.com, so no browser/],
    [{ origins: ['https://notexample.com'] }, /, which is not on example\.com, so no browser/],
    [{ origins: ['https://['] }, /, which is not on example\.com, so no browser/],
    [{ origins: ['http://localhost:3030'] }, /, which is not on example\.com, so no browser/]
  ]

  for (const [change, message] of wrong) {
    it(`may not be ${JSON.stringify(change)}`, () => {
      assert.throws(() => read(change), { name: 'ConfigurationError', message })
    })
  }

  it('is needed with the strategy', () => {
    assert.throws(() => readPasskeySettings(undefined, 'authentication.passkey'), {
      message:
        'authentication.passkey is missing, but authStrategies names "passkey": ' +
        'write an object with rpId, rpName and origins, or remove it there'
    })
  })
})
