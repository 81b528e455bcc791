import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { startOAuthProvider, type OAuthProvider } from '../support/oauth-provider.js'
import { outcome, restClient } from '../support/rest.js'
import { decoded } from '../support/tokens.js'
import { freePort } from '../support/process.js'
import { fragmentOf, locationOf, visitor } from '../support/visitor.js'

const page = 'https://app.example.com'

const settingsWith = async (provider: OAuthProvider, more: object = {}) => {
  const port = await freePort()

  return {
    port,
    authentication: {
      oauth: { redirect: page, defaults: { origin: `http://localhost:${port}` }, example: provider.settings },
      'refresh-token': { strategies: ['local', 'example'], ...more }
    }
  }
}

describe('a sign-in by OAuth', () => {
  let provider: OAuthProvider
  let t: TestApp

  before(async () => {
    provider = await startOAuthProvider()
    t = await startApp({ settings: await settingsWith(provider) })
  })
  afterEach(() => {
    provider.asked.length = 0
  })
  after(async () => {
    await t.stop()
    await provider.stop()
  })

  const signIn = (profile: object, path = '/oauth/example') => {
    provider.profile = { ...profile }

    return visitor().follow(t.address + path, { 'user-agent': 'a browser' })
  }

  it('returns to the page with an access token, and a refresh token that is valid for two minutes', async () => {
    const response = await signIn({ id: 1, email: 'Ada@Example.com', name: 'Ada' })
    const { access_token, refresh_token, ...rest } = fragmentOf(response)

    assert.equal(locationOf(response).origin, page)
    assert.deepEqual(rest, {})
    assert.equal(decoded(access_token!).header.typ, 'at+jwt')
    assert.equal(decoded(refresh_token!).header.typ, 'refresh')
    assert.equal(decoded(refresh_token!).claims.exp - Math.floor(t.clock.now / 1000), 120)

    const refreshed = await restClient(t.address).refresh(refresh_token!)
    const { claims } = decoded(refreshed.body.refreshToken)

    assert.equal(claims.sid, decoded(access_token!).claims.sid)
    assert.ok(claims.exp - claims.iat > 29 * 24 * 60 * 60)
    assert.equal(refreshed.body.session.strategy, 'example')
    assert.equal(refreshed.body.session.device.userAgent, 'a browser')
    assert.deepEqual(Object.keys(refreshed.body.user).sort(), [
      '_id',
      'createdAt',
      'disabled',
      'email',
      'name',
      'roles'
    ])
    assert.equal(refreshed.body.user.email, 'ada@example.com')
  })

  it('leaves tokens nowhere else: not in the body, to no referrer and no cache', async () => {
    const response = await signIn({ id: 1 })

    assert.doesNotMatch(await response.text(), /eyJ/)
    assert.equal(response.headers.get('referrer-policy'), 'no-referrer')
    assert.equal(response.headers.get('cache-control'), 'no-store')
    assert.equal(locationOf(response).search, '')
  })

  it('puts no token into a query, even if the page asks for it', async () => {
    for (const path of ['/home?', '/home?x=1', '/%23/home']) {
      const location = locationOf(await signIn({ id: 1 }, `/oauth/example?redirect=${path}`))

      assert.match(location.hash, /access_token=eyJ/)
      assert.doesNotMatch(location.pathname + location.search, /token/)
    }
  })

  it('refuses the refresh token of the redirect after two minutes', async () => {
    const { refresh_token } = fragmentOf(await signIn({ id: 1 }))

    t.clock.advance(121_000)
    assert.equal(outcome(await restClient(t.address).refresh(refresh_token!)), '401 expired')
  })

  it('is of the same user each time, even with many at once', async () => {
    provider.profile = { id: 'many', email: 'many@example.com' }
    const responses = await Promise.all(
      Array.from({ length: 10 }, () => visitor().follow(`${t.address}/oauth/example`))
    )
    const users = responses.map((response) => decoded(fragmentOf(response).access_token!).claims.sub)

    assert.equal(new Set(users).size, 1)
    assert.equal(await t.db.collection('users').countDocuments({ email: 'many@example.com' }), 1)
  })

  it('never takes over an account with the same email', async () => {
    const client = restClient(t.address)
    const { email } = await client.signUp()

    assert.deepEqual(fragmentOf(await signIn({ id: 2, email })), {
      error: 'There is an account with this email already: sign in with its password'
    })
    assert.equal(outcome(await client.signIn(email)), '201')
  })

  it('says in the fragment why it failed', async () => {
    await signIn({ id: 3, email: 'off@example.com' })
    await t.db.collection('users').updateOne({ email: 'off@example.com' }, { $set: { disabled: true } })

    assert.deepEqual(fragmentOf(await signIn({ id: 3 })), { error: 'The account is disabled' })
    assert.match(fragmentOf(await signIn({ id: 4 })).error!, /'email' must be a string|'email' is required/)
    assert.deepEqual(fragmentOf(await signIn({ email: 'nobody@example.com' })), {
      error: 'The provider did not say who signed in'
    })
  })

  it('sends the provider a state and a challenge, and accepts no response from another browser', async () => {
    provider.profile = { id: 5, email: 'mallory@example.com' }
    const mallory = visitor()
    const asked = await mallory.get(`${t.address}/oauth/example`)
    const back = await mallory.get(locationOf(asked).href)

    assert.ok(provider.asked[0]!.state!.length >= 20)
    assert.equal(provider.asked[0]!.code_challenge_method, 'S256')

    const victim = visitor()
    const begun = await victim.get(`${t.address}/oauth/example`)

    assert.equal(begun.status, 303)

    for (const other of [victim, visitor()]) {
      const response = await other.get(locationOf(back).href)
      const location = response.headers.get('location') ?? ''

      assert.doesNotMatch(location, /token=/)
    }
    assert.equal(await t.db.collection('users').countDocuments({ email: 'mallory@example.com' }), 0)
  })

  it('can not be claimed by a client', async () => {
    const client = restClient(t.address)
    const claimed = { strategy: 'example', profile: { id: 1 } }

    assert.equal(outcome(await client.authenticate(claimed)), '401')
  })

  it('opens a session like any other', async () => {
    const { access_token: token } = fragmentOf(await signIn({ id: 1 }))
    const client = restClient(t.address)
    const { body } = await client.ask('GET', '/sessions', { token: token! })

    assert.equal(body.find(({ current }: { current: boolean }) => current).strategy, 'example')
    assert.equal(outcome(await client.ask('DELETE', '/authentication', { token: token! })), '200')
    assert.equal(outcome(await client.ask('GET', '/sessions', { token: token! })), '401 revoked')
  })
})

describe('a sign-in by OAuth, where refresh tokens travel in a cookie', () => {
  let provider: OAuthProvider
  let t: TestApp

  before(async () => {
    provider = await startOAuthProvider()
    t = await startApp({ settings: await settingsWith(provider, { cookie: {} }) })
  })
  after(async () => {
    await t.stop()
    await provider.stop()
  })

  it('sets it, and puts no token into the address of the page', async () => {
    provider.profile = { id: 1, email: 'ada@example.com' }
    const browser = visitor()
    const response = await browser.follow(`${t.address}/oauth/example?redirect=/home`)
    const cookie = response.headers.getSetCookie().find((line) => line.startsWith('__Secure-refresh-token='))

    assert.equal(response.headers.get('location'), `${page}/home`)
    assert.match(cookie!, /; Path=\/authentication; .*HttpOnly; Secure; SameSite=Strict/i)

    const refreshed = await restClient(t.address).ask('POST', '/authentication', {
      body: { strategy: 'refresh-token' },
      headers: { Cookie: cookie!.split(';')[0]! }
    })

    assert.equal(refreshed.body.user.email, 'ada@example.com')
    assert.equal(refreshed.body.refreshToken, undefined)
  })
})

describe('a sign-in by OAuth, of a provider without refresh tokens', () => {
  it('gets an access token only', async () => {
    const provider = await startOAuthProvider()
    const t = await startApp({ settings: await settingsWith(provider, { strategies: ['local'] }) })

    provider.profile = { id: 1, email: 'ada@example.com' }
    const fragment = fragmentOf(await visitor().follow(`${t.address}/oauth/example`))

    await t.stop()
    await provider.stop()
    assert.deepEqual(Object.keys(fragment), ['access_token'])
  })
})
