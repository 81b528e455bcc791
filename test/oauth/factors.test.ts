import type { OAuthProfile } from '@feathersjs/authentication-oauth'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { OAuthStrategy } from '../../src/refresh-token/oauth/index.js'
import { merge, startApp, withApp, type Settings, type TestApp } from '../support/app.js'
import { enrol, factorClient, withFactors } from '../support/factors.js'
import { startOAuthProvider, type OAuthProvider } from '../support/oauth-provider.js'
import { newPerson, stored } from '../support/people.js'
import { freePort } from '../support/process.js'
import { restClient } from '../support/rest.js'
import { decoded } from '../support/tokens.js'
import { fragmentOf, locationOf, visitor } from '../support/visitor.js'

const page = 'https://app.example.com'

const settingsWith = async (provider: OAuthProvider, more: Settings = {}): Promise<Settings> => {
  const port = await freePort()

  return merge(withFactors({ port }), {
    authentication: {
      oauth: { redirect: page, defaults: { origin: `http://localhost:${port}` }, example: provider.settings },
      'refresh-token': { strategies: ['local', 'example'], ...more }
    }
  })
}

describe('a sign-in by OAuth of a user with a factor', () => {
  let provider: OAuthProvider
  let t: TestApp

  before(async () => {
    provider = await startOAuthProvider()
    t = await startApp({ settings: await settingsWith(provider) })
  })
  after(async () => {
    await t.stop()
    await provider.stop()
  })

  let lastId = 0

  /** Signs somebody new in, and adds an app for codes: the account has no password. */
  async function guarded(on: TestApp, accessToken?: string) {
    const client = restClient(on.address)
    const ask: typeof client.ask = (method, path, more) =>
      client.ask(method, path, { token: accessToken!, ...more })

    return enrol(on, { ask }, accessToken)
  }

  const signIn = (id: number, path = '/oauth/example') => {
    provider.profile = { id, email: `user-${id}@example.com` }

    return visitor().follow(t.address + path)
  }

  it('returns to the page with a challenge, and no token', async () => {
    const id = ++lastId
    const { app } = await guarded(t, fragmentOf(await signIn(id)).access_token)
    const response = await signIn(id)
    const { factor, factors, ...rest } = fragmentOf(response)

    assert.equal(locationOf(response).origin, page)
    assert.equal(locationOf(response).search, '')
    assert.deepEqual(rest, {})
    assert.equal(factors, 'totp,recovery-code')
    assert.equal(response.headers.get('cache-control'), 'no-store')

    const { status, body } = await factorClient(t.address).totp(factor!, app.next())

    assert.equal(status, 201)
    assert.equal(body.session.strategy, 'example')
    assert.deepEqual(decoded(body.accessToken).claims.amr, ['fed', 'otp', 'mfa'])
    assert.ok(body.refreshToken)
  })

  it('puts it into the fragment, whatever the page asks for', async () => {
    const id = ++lastId

    await guarded(t, fragmentOf(await signIn(id)).access_token)

    for (const path of ['/home?', '/home?x=1', '/%23/home']) {
      const location = locationOf(await signIn(id, `/oauth/example?redirect=${path}`))

      assert.match(location.hash, /factor=eyJ[^&]*&factors=totp/)
      assert.doesNotMatch(location.pathname + location.search, /factor/)
      assert.doesNotMatch(location.href, /token|error/)
    }
  })

  it('gets its refresh token in the cookie where the service uses cookies', async () =>
    withApp({ settings: await settingsWith(provider, { cookie: { sameSite: 'lax' } }) }, async (cookies) => {
      const id = ++lastId

      provider.profile = { id, email: `user-${id}@example.com` }

      const browser = visitor()

      await browser.follow(`${cookies.address}/oauth/example`)

      const json = { 'Content-Type': 'application/json' }
      const refreshed = await browser.ask(`${cookies.address}/authentication`, {
        method: 'POST',
        headers: json,
        body: JSON.stringify({ strategy: 'refresh-token' })
      })
      const { accessToken } = (await refreshed.json()) as { accessToken: string }
      const { app } = await guarded(cookies, accessToken)
      const { factor } = fragmentOf(await visitor().follow(`${cookies.address}/oauth/example`))
      const { status, headers, body } = await factorClient(cookies.address).totp(factor!, app.next())

      assert.equal(status, 201)
      assert.ok(headers.get('set-cookie'))
      assert.ok(!('refreshToken' in body))
    }))
})

/** As in an app of somebody else: finds users by their address, and links whoever is signed in. */
class LinkingStrategy extends OAuthStrategy {
  override async getEntityQuery({ email }: OAuthProfile) {
    return { email }
  }

  override async getEntityData() {
    return { name: 'Linked' }
  }
}

describe('an account that is linked by an access token', () => {
  it('takes a recent sign-in', async () => {
    const provider = await startOAuthProvider()
    const settings = await settingsWith(provider)

    try {
      await withApp(
        {
          settings,
          configure: (app) => app.service('authentication').register('example', new LinkingStrategy())
        },
        async (t) => {
          const ada = await newPerson(t)
          const link = async (token: string) => {
            provider.profile = { id: 7, email: 'nobody@example.com' }

            return fragmentOf(await visitor().follow(`${t.address}/oauth/example?feathers_token=${token}`))
          }

          t.clock.advance(11 * 60_000)
          assert.match((await link(ada.accessToken)).error!, /takes a recent sign-in/)

          const { access_token: token } = await link((await ada.signIn()).accessToken)

          assert.equal(decoded(token!).claims.sub, ada.id)
          assert.equal((await stored(t, ada.email)).name, 'Linked')
        }
      )
    } finally {
      await provider.stop()
    }
  })
})
