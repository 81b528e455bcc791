import assert from 'node:assert/strict'
import { createHmac, createPublicKey, sign } from 'node:crypto'
import { describe, it } from 'node:test'
import { withApp } from '../support/app.js'
import { newPem, withPem } from '../support/keys.js'
import { newPerson } from '../support/people.js'
import { outcome, restClient } from '../support/rest.js'
import { base64url, decoded } from '../support/tokens.js'

describe('access tokens with public keys', () => {
  for (const algorithm of ['ES256', 'RS256'] as const) {
    it(`${algorithm}: refuses what was not signed with the private key`, async () => {
      const { privatePem, publicPem } = newPem(algorithm)
      const stranger = newPem(algorithm)

      await withApp({ settings: withPem(algorithm, privatePem) }, async (t) => {
        const { accessToken, refreshToken } = await newPerson(t)
        const { header, claims } = decoded(accessToken)
        const client = restClient(t.address)
        const publicKey = createPublicKey(publicPem)
        const token = (head: object, signature: (input: string) => Buffer | string) => {
          const input = [head, claims].map((part) => base64url(JSON.stringify(part))).join('.')
          const bytes = signature(input)

          return `${input}.${typeof bytes === 'string' ? bytes : bytes.toString('base64url')}`
        }
        const hmac =
          (key: string | Buffer, hash = 'sha256') =>
          (input: string) =>
            createHmac(hash, key).update(input).digest('base64url')
        const signed = (pem: string) => (input: string) =>
          sign('sha256', Buffer.from(input), { key: pem, dsaEncoding: 'ieee-p1363' })
        const jwk = JSON.stringify(publicKey.export({ format: 'jwk' }))
        const publicForms = [
          publicPem,
          publicPem.trim(),
          publicPem.replaceAll('\n', ''),
          jwk,
          publicKey.export({ type: 'spki', format: 'der' })
        ]
        const published = (await client.ask('GET', '/.well-known/jwks.json')).body
        const forged = [
          ...publicForms.flatMap((form) =>
            ['HS256', 'HS384', 'HS512'].map((alg) =>
              token({ ...header, alg }, hmac(form, `sha${alg.slice(2)}`))
            )
          ),
          ...publicForms.map((form) => token(header, hmac(form))), // the right name on the wrong kind
          token(header, hmac(JSON.stringify(published))),
          token(header, hmac('')),
          token({ ...header, alg: 'none' }, () => ''),
          token(header, () => ''),
          token(header, signed(stranger.privatePem)),
          token(
            { ...header, jwk: createPublicKey(stranger.publicPem).export({ format: 'jwk' }) },
            signed(stranger.privatePem)
          ),
          token({ ...header, kid: 'unknown' }, signed(privatePem)),
          token({ ...header, alg: algorithm === 'ES256' ? 'RS256' : 'PS256' }, signed(privatePem)),
          token({ ...header, typ: 'JWT' }, signed(privatePem)),
          refreshToken
        ]

        for (const [index, forgery] of forged.entries()) {
          const answer = await client.ask('GET', '/content/user', { token: forgery })

          assert.equal(outcome(answer), '401 invalid', `forgery ${index}`)
        }

        const genuine = token(header, signed(privatePem))

        assert.equal((await client.ask('GET', '/content/user', { token: genuine })).status, 200)
        assert.equal(outcome(await client.refresh(accessToken)), '401 invalid')
        assert.equal(
          outcome(await client.refresh(token({ ...header, typ: 'refresh', alg: 'HS256' }, hmac(publicPem)))),
          '401 invalid'
        )
      })
    })
  }

  it('refuses the HMAC tokens from before the algorithm was changed; refresh tokens stay valid', () =>
    withApp({}, async (before) => {
      const { accessToken, refreshToken } = await newPerson(before)
      const settings = withPem('ES256', newPem('ES256').privatePem)

      await withApp({ settings, database: before.db.databaseName }, async (t) => {
        const client = restClient(t.address)

        assert.equal(outcome(await client.ask('GET', '/sessions', { token: accessToken })), '401 invalid')

        const { body } = await client.refresh(refreshToken)

        assert.equal(decoded(body.refreshToken).header.alg, 'HS256')
        assert.equal((await client.ask('GET', '/sessions', { token: body.accessToken })).status, 200)
      })
    }))
})
