import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { calculateJwkThumbprint, createRemoteJWKSet, jwtVerify } from 'jose'
import { rotateKeys } from '../../src/keys/rotation.js'
import { withApp, type TestApp } from '../support/app.js'
import { fromFile, newPem, newSecret, withKeyFile, withPem } from '../support/keys.js'
import { newPerson } from '../support/people.js'
import { restClient } from '../support/rest.js'
import { decoded } from '../support/tokens.js'

const path = '/.well-known/jwks.json'
const keySet = async (t: TestApp) => (await restClient(t.address).ask('GET', path)).body

/** What a resource server does that knows the address of the key set, and nothing else. */
const verifier = (t: TestApp) => {
  const keys = createRemoteJWKSet(new URL(path, t.address), { cooldownDuration: 0 })

  return (token: string) => jwtVerify(token, keys, { issuer: 'moult', audience: 'moult', typ: 'at+jwt' })
}

describe('GET /.well-known/jwks.json', () => {
  for (const algorithm of ['ES256', 'RS256', 'PS256'] as const) {
    it(`is all that a resource server needs to verify access tokens: ${algorithm}`, () =>
      withApp({ settings: withPem(algorithm, newPem(algorithm).privatePem) }, async (t) => {
        const { id, accessToken, session, ask } = await newPerson(t)
        const { payload, protectedHeader } = await verifier(t)(accessToken)
        const [jwk] = (await keySet(t)).keys

        assert.equal(payload.sub, id)
        assert.equal(payload.sid, session.id)
        assert.equal(protectedHeader.alg, algorithm)
        assert.equal(protectedHeader.kid, await calculateJwkThumbprint(jwk)) // RFC 7638
        assert.equal((await ask('GET', '/content/user')).status, 200)
      }))
  }

  it('holds the public halves of all keys, and nothing that is private', async () => {
    const [newest, old, retired] = [newPem('ES256'), newPem('ES256'), newPem('ES256')]
    const pems = [newest.privatePem, old.privatePem, retired.publicPem]

    await withApp({ settings: withPem('ES256', ...pems) }, async (t) => {
      const { keys } = await keySet(t)

      assert.equal(keys.length, 3)

      for (const key of keys) {
        assert.deepEqual(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
        assert.deepEqual([key.kty, key.crv, key.use, key.alg], ['EC', 'P-256', 'sig', 'ES256'])
      }

      const { accessToken } = await newPerson(t)

      assert.equal(decoded(accessToken).header.kid, keys[0].kid)
    })
  })

  it('holds no private part of an RSA key', () =>
    withApp({ settings: withPem('RS256', newPem('RS256').privatePem) }, async (t) => {
      const [key] = (await keySet(t)).keys

      assert.deepEqual(Object.keys(key).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use'])
    }))

  it('is empty with HMAC, whose keys can not be published', () =>
    withApp({}, async (t) => {
      assert.deepEqual(await keySet(t), { keys: [] })
    }))

  it('may be cached for some minutes, and has its media type', () =>
    withApp({}, async (t) => {
      for (const method of ['GET', 'HEAD']) {
        const { status, headers } = await restClient(t.address).ask(method, path)

        assert.equal(status, 200)
        assert.equal(headers.get('cache-control'), 'public, max-age=300')
        assert.match(headers.get('content-type')!, /^application\/jwk-set\+json/)
      }

      assert.equal((await restClient(t.address).ask('POST', path, { body: {} })).status, 405)
    }))

  it('shows a new key before the first token that it signs', () =>
    withKeyFile(
      async (file) => {
        await withApp({ settings: fromFile(file, { algorithm: 'ES256' }) }, async (t) => {
          const verify = verifier(t)
          const { signIn, accessToken } = await newPerson(t)
          const life = { access: 1, refresh: 1 }

          await verify(accessToken)

          const { added } = rotateKeys(file, {
            algorithm: 'ES256',
            life,
            now: t.clock.now,
            kinds: ['access']
          })
          const { kid } = added[0]!

          // a second, at which it looks at the file without being asked for a key
          await new Promise((resolve) => setTimeout(resolve, 1100))
          assert.equal((await keySet(t)).keys[0].kid, kid)
          assert.notEqual(decoded((await signIn()).accessToken).header.kid, kid)

          t.clock.advance(10 * 60_000)

          const later = (await signIn()).accessToken

          assert.equal(decoded(later).header.kid, kid)
          await jwtVerify(later, createRemoteJWKSet(new URL(path, t.address)), {
            issuer: 'moult',
            audience: 'moult',
            typ: 'at+jwt',
            currentDate: new Date(t.clock.now)
          })
        })
      },
      { accessToken: newPem('ES256').privatePem, refreshToken: newSecret() }
    ))

  it('answers while the database is away', () =>
    withApp({}, async (t) => {
      await t.app.get('database').close()
      assert.equal((await restClient(t.address).ask('GET', path)).status, 200)
    }))
})

describe('the id of a key', () => {
  it('of HMAC says nothing about the secret', () =>
    withApp({}, async (t) => {
      const { accessToken } = await newPerson(t)
      const { secret } = t.app.get('authentication') as unknown as { secret: string }
      const { kid } = decoded(accessToken).header

      assert.ok(!createHash('sha256').update(secret).digest('base64url').startsWith(kid))
    }))
})
