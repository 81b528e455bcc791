import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createKeyring } from '../../src/refresh-token/keyring.js'

describe('a keyring', () => {
  it('holds a key of the UTF-8 bytes of each secret, the first of them the newest', () => {
    const { newest, byId } = createKeyring('schlüssel, another , third')

    assert.deepEqual(
      [...byId.values()].map((key) => key.export().toString('utf8')),
      ['schlüssel', 'another', 'third']
    )
    assert.equal(newest.key.export().toString('utf8'), 'schlüssel')
    assert.equal(byId.get(newest.kid), newest.key)
  })

  it('names a key alike wherever it stands, and two keys differently', () => {
    const one = createKeyring('one')
    const [two, oneToo] = [...createKeyring('two,one').byId.keys()]

    assert.equal(oneToo, one.newest.kid)
    assert.notEqual(two, oneToo)
  })

  it('names a key in 16 characters', () => {
    const { kid } = createKeyring('a secret').newest

    assert.match(kid, /^[\w-]{16}$/)
  })

  it('takes a secret that is there twice for one', () => {
    assert.equal(createKeyring('one,one').byId.size, 1)
  })
})
