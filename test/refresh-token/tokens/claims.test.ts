import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { outcome, restClient, type RestClient } from '../../support/rest.js'
import { decoded, secretsOf, signature } from '../../support/tokens.js'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

let t: TestApp
let client: RestClient

before(async () => {
  t = await startApp()
  client = restClient(t.address)
})

after(() => t.stop())

const isSignedWith = (token: string, secret: string, hash?: string) =>
  token.slice(token.lastIndexOf('.') + 1) === signature(token.slice(0, token.lastIndexOf('.')), secret, hash)

describe('an access token', () => {
  it('has the header and the claims of the contract, at a login and at a refresh', async () => {
    const login = await client.newLogin()
    const seen = new Set()

    const signedIn = Math.floor(t.clock.now / 1000)

    for (const answer of [login, (await client.refresh(login.refreshToken)).body]) {
      const { header, claims } = decoded(answer.accessToken)
      const iat = Math.floor(t.clock.now / 1000)

      assert.deepEqual(header, { typ: 'at+jwt', alg: 'HS256', kid: header.kid })
      assert.equal(typeof header.kid, 'string')
      assert.deepEqual(claims, {
        sub: login.user._id,
        sid: login.session.id,
        iat,
        exp: iat + 15 * 60,
        auth_time: signedIn,
        amr: ['pwd'],
        jti: claims.jti,
        iss: 'moult',
        aud: 'moult'
      })
      assert.match(claims.jti, uuid)
      assert.deepEqual(answer.authentication.payload, claims)
      seen.add(claims.jti)
    }

    assert.equal(seen.size, 2)
  })

  it('is signed with its own secret, by the configured algorithm', async () => {
    const { accessToken } = await client.newLogin()

    assert.ok(isSignedWith(accessToken, secretsOf(t).access))

    for (const algorithm of ['HS384', 'HS512']) {
      const jwtOptions = {
        algorithm,
        issuer: 'https://issuer.example.com',
        audience: 'https://api.example.com'
      }

      await withApp({ settings: { authentication: { jwtOptions } } }, async (app) => {
        const other = restClient(app.address)
        const login = await other.newLogin()
        const { header, claims } = decoded(login.accessToken)

        assert.equal(header.alg, algorithm)
        assert.equal(claims.iss, jwtOptions.issuer)
        assert.equal(claims.aud, jwtOptions.audience)
        assert.ok(isSignedWith(login.accessToken, secretsOf(app).access, algorithm.replace('HS', 'sha')))
        assert.equal((await other.ask('GET', '/sessions', { token: login.accessToken })).status, 200)

        const refreshToken = decoded(login.refreshToken)

        assert.equal(refreshToken.header.alg, 'HS256')
        assert.equal(refreshToken.claims.iss, jwtOptions.issuer)
        assert.equal(refreshToken.claims.aud, jwtOptions.audience)
        assert.equal(outcome(await other.refresh(login.refreshToken)), '201')
      })
    }
  })

  it('takes issuer, audience, algorithm and life from the defaults where `jwtOptions` leaves them out', () =>
    withApp({ settings: { authentication: { jwtOptions: undefined } } }, async (app) => {
      const { header, claims } = decoded((await restClient(app.address).newLogin()).accessToken)

      assert.equal(header.alg, 'HS256')
      assert.deepEqual([claims.iss, claims.aud, claims.exp - claims.iat], ['moult', 'moult', 15 * 60])
    }))
})

describe('a refresh token', () => {
  it('has the header and the claims of the contract, at a login and at a refresh', async () => {
    const login = await client.newLogin()
    let prev: string | undefined

    for (const answer of [login, (await client.refresh(login.refreshToken)).body]) {
      const { header, claims } = decoded(answer.refreshToken)

      assert.deepEqual(header, { typ: 'refresh', alg: 'HS256', kid: header.kid })
      assert.equal(typeof header.kid, 'string')
      assert.deepEqual(claims, {
        sub: login.user._id,
        sid: login.session.id,
        iat: Math.floor(t.clock.now / 1000),
        exp: Date.parse(answer.session.expiresAt) / 1000,
        jti: claims.jti,
        iss: 'moult',
        aud: 'moult',
        prev: prev ?? claims.prev
      })
      assert.match(claims.jti, uuid)
      assert.match(claims.prev, uuid)
      prev = claims.jti
    }
  })

  it('is signed with its own secret, under another key id than the access token', async () => {
    const { accessToken, refreshToken } = await client.newLogin()

    assert.ok(isSignedWith(refreshToken, secretsOf(t).refresh))
    assert.notEqual(decoded(refreshToken).header.kid, decoded(accessToken).header.kid)
  })

  it('has the configured name in requests and answers', () =>
    withApp(
      { settings: { authentication: { 'refresh-token': { field: 'refresh_token' } } } },
      async (app) => {
        const other = restClient(app.address)
        const login = await other.newLogin()

        assert.equal(login.refreshToken, undefined)

        const request = { strategy: 'refresh-token', refresh_token: login.refresh_token }
        const { status, body } = await other.authenticate(request)

        assert.equal(status, 201)
        assert.equal(decoded(body.refresh_token).header.typ, 'refresh')

        const wrong = await other.refresh(login.refresh_token)

        assert.equal(outcome(wrong), '400')
        assert.deepEqual(wrong.body.errors.map(({ field }: { field: string }) => field).sort(), [
          'refreshToken',
          'refresh_token'
        ])
      }
    ))
})

describe('several secrets', () => {
  const old = { secret: 'the old access secret', 'refresh-token': { secret: 'the old refresh secret' } }
  const both = {
    secret: `the new access secret , ${old.secret}`,
    'refresh-token': { secret: `the new refresh secret,${old['refresh-token'].secret}` }
  }
  const fresh = { secret: 'the new access secret', 'refresh-token': { secret: 'the new refresh secret' } }

  it('accept tokens of the old one while the new one signs, until the old one is removed', () =>
    withApp({ settings: { authentication: old } }, async (first) => {
      const database = first.db.databaseName
      const login = await restClient(first.address).newLogin()
      const ask = (app: TestApp, token: string) => restClient(app.address).ask('GET', '/sessions', { token })

      const next = await withApp({ database, settings: { authentication: both } }, async (second) => {
        assert.equal((await ask(second, login.accessToken)).status, 200)

        const { body } = await restClient(second.address).refresh(login.refreshToken)

        assert.ok(isSignedWith(body.accessToken, fresh.secret))
        assert.ok(isSignedWith(body.refreshToken, fresh['refresh-token'].secret))
        return body
      })

      await withApp({ database, settings: { authentication: fresh } }, async (third) => {
        const { refresh } = restClient(third.address)

        assert.equal(outcome(await ask(third, login.accessToken)), '401 invalid')
        assert.equal(outcome(await refresh(login.refreshToken)), '401 invalid')
        assert.equal((await ask(third, next.accessToken)).status, 200)
        assert.equal(outcome(await refresh(next.refreshToken)), '201')
      })
    }))
})
