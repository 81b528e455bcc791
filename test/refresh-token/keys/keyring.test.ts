import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readKeyrings } from '../../../src/refresh-token/keys/read-keyrings.js'
import type { Keyring } from '../../../src/refresh-token/keys/keyring.js'
import type { SigningKey } from '../../../src/refresh-token/keys/signing-key.js'

/** The keyring of access tokens whose setting is this. */
function keyringOf(secret: string): Keyring {
  const settings = { secret, refreshSecret: 'one of the other kind', algorithm: 'HS256' } as const
  const context = { configKey: 'authentication', production: false, now: Date.now, warn: assert.fail }

  return readKeyrings(settings, context).access
}

const secretOf = ({ verifyKey }: SigningKey) => verifyKey.export().toString('utf8')

describe('a keyring', () => {
  it('holds a key of the UTF-8 bytes of each secret, the first of them the newest', () => {
    const { newest, byId } = keyringOf('schlüssel, another , third')

    assert.deepEqual([...byId.values()].map(secretOf), ['schlüssel', 'another', 'third'])
    assert.equal(secretOf(newest), 'schlüssel')
    assert.equal(byId.get(newest.kid), newest)
  })

  it('gives a key the same id in any position, and two keys different ones', () => {
    const one = keyringOf('one')
    const [two, oneToo] = [...keyringOf('two,one').byId.keys()]

    assert.equal(oneToo, one.newest.kid)
    assert.notEqual(two, oneToo)
  })

  it('gives a key an id of 16 characters', () => {
    const { kid } = keyringOf('a secret').newest

    assert.match(kid, /^[\w-]{16}$/)
  })

  it('treats a duplicate secret as one', () => {
    assert.equal(keyringOf('one,one').byId.size, 1)
  })
})
