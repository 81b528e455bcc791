import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, type Person } from '../../support/people.js'
import { password, restClient, type RestClient } from '../../support/rest.js'

const answerKeys = ['accessToken', 'authentication', 'refreshToken', 'session', 'user']
const userKeys = ['_id', 'createdAt', 'disabled', 'email', 'roles']
const sessionKeys = ['createdAt', 'current', 'device', 'expiresAt', 'id', 'refreshedAt', 'strategy']
const payloadKeys = ['amr', 'aud', 'auth_time', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub']

const keysOf = (object: object) => Object.keys(object).sort()

describe('POST /authentication', () => {
  let t: TestApp
  let client: RestClient
  let ada: Person

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
    ada = await newPerson(t)
  })
  after(() => t.stop())

  for (const strategy of ['local', 'refresh-token']) {
    it(`answers tokens, user and session, and no more: ${strategy}`, async () => {
      const login = await client.signIn(ada.email)
      const { status, headers, body } =
        strategy === 'local' ? login : await client.refresh(login.body.refreshToken)

      assert.equal(status, 201)
      assert.equal(headers.get('cache-control'), 'no-store')
      assert.deepEqual(keysOf(body), answerKeys)
      assert.deepEqual(keysOf(body.user), userKeys)
      assert.deepEqual(keysOf(body.session), sessionKeys)
      assert.deepEqual(keysOf(body.authentication), ['payload', 'strategy'])
      assert.deepEqual(keysOf(body.authentication.payload), payloadKeys)
      assert.equal(body.authentication.strategy, strategy)
      assert.equal(body.authentication.payload.sub, ada.id)
      assert.equal(body.authentication.payload.sid, body.session.id)
      assert.equal(body.session.strategy, 'local')
      assert.equal(body.session.current, true)
    })
  }

  it('answers a jwt as stock Feathers does: the same token and user, no refresh token and no session', async () => {
    const { status, headers, body } = await client.authenticate({
      strategy: 'jwt',
      accessToken: ada.accessToken
    })

    assert.equal(status, 201)
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.deepEqual(keysOf(body), ['accessToken', 'authentication', 'user'])
    assert.deepEqual(keysOf(body.authentication), ['accessToken', 'payload', 'strategy'])
    assert.equal(body.accessToken, ada.accessToken)
    assert.equal(body.authentication.accessToken, ada.accessToken)
    assert.equal(body.authentication.strategy, 'jwt')
    assert.deepEqual(keysOf(body.user), userKeys)
    assert.equal(body.user._id, ada.id)
  })

  it('takes an email in any case', async () => {
    const { status, body } = await client.signIn(ada.email.toUpperCase())

    assert.equal(status, 201)
    assert.equal(body.user.email, ada.email)
  })

  it('gives one answer for an unknown email and for a wrong password', async () => {
    const unknown = await client.signIn('nobody@example.com')
    const wrong = await client.signIn(ada.email, { password: 'wrong horse' })

    assert.equal(unknown.status, 401)
    assert.deepEqual(unknown.body, wrong.body)
    assert.equal(unknown.body.data, undefined)
    assert.deepEqual(keysOf(Object.fromEntries(unknown.headers)), keysOf(Object.fromEntries(wrong.headers)))
    assert.equal(unknown.headers.get('www-authenticate'), 'Bearer')
  })

  it('keeps what the device says about itself', async () => {
    const device = { id: 'd'.repeat(128), name: 'n'.repeat(100) }
    const { body } = await client.ask('POST', '/authentication', {
      body: { strategy: 'local', email: ada.email, password, device },
      headers: { 'User-Agent': 'u'.repeat(5000) }
    })
    const { ip: _ip, userAgent, ...said } = body.session.device

    assert.deepEqual(said, device)
    assert.ok(userAgent.startsWith('uuu') && userAgent.length <= 1000)
  })

  for (const query of [
    '$select[]=email',
    '$select[]=password',
    'email=x',
    '_id[$ne]=x',
    '$limit=0',
    'x=y',
    'user=1'
  ]) {
    it(`ignores a query: ${query}`, async () => {
      const requests = [
        { strategy: 'local', email: ada.email, password },
        { strategy: 'jwt', accessToken: ada.accessToken },
        { strategy: 'refresh-token', refreshToken: (await ada.signIn()).refreshToken }
      ]

      for (const body of requests) {
        const answer = await client.ask('POST', `/authentication?${query}`, { body })

        // Ignored or refused, but nothing in between
        assert.ok([201, 400].includes(answer.status), `${answer.status}`)
        assert.ok(answer.status === 400 || answer.body.user._id === ada.id)
        assert.doesNotMatch(JSON.stringify(answer.body), /argon2/)
      }
    })
  }

  it('ignores an access token of the request itself', async () => {
    const bob = await newPerson(t)
    const { status, body } = await bob.ask('POST', '/authentication', {
      body: { strategy: 'local', email: ada.email, password }
    })

    assert.equal(status, 201)
    assert.equal(body.user._id, ada.id)
    assert.equal((await bob.ask('GET', '/sessions')).body.length, 1)
  })
})

describe('authentication.refresh-token.field', () => {
  let t: TestApp
  let client: RestClient

  before(async () => {
    t = await startApp({ settings: { authentication: { 'refresh-token': { field: 'refresh_token' } } } })
    client = restClient(t.address)
  })
  after(() => t.stop())

  const refresh = (body: object) => client.authenticate({ strategy: 'refresh-token', ...body })

  it('names the refresh token in answers and requests', async () => {
    const login = await client.newLogin()

    assert.deepEqual(
      keysOf(login),
      answerKeys.map((key) => (key === 'refreshToken' ? 'refresh_token' : key)).sort()
    )

    const { status, body } = await refresh({ refresh_token: login.refresh_token })

    assert.equal(status, 201)
    assert.notEqual(body.refresh_token, login.refresh_token)
    assert.equal(body.refreshToken, undefined)
  })

  it('is named by the 400 if it is missing', async () => {
    const { refresh_token } = await client.newLogin()
    const missing = await refresh({})
    const old = await refresh({ refreshToken: refresh_token })

    assert.deepEqual([missing.status, missing.body.errors[0].field], [400, 'refresh_token'])
    assert.equal(old.status, 400)
    assert.deepEqual(old.body.errors.map(({ field }: { field: string }) => field).sort(), [
      'refreshToken',
      'refresh_token'
    ])
  })

  it('is distinguished from other tokens in the challenge', async () => {
    const { status, headers } = await refresh({ refresh_token: 'x' })

    assert.equal(status, 401)
    assert.equal(headers.get('www-authenticate'), 'Bearer error="invalid_token"')
  })
})
