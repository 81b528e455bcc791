import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { startOAuthProvider, type OAuthProvider } from '../support/oauth-provider.js'
import { newPerson } from '../support/people.js'
import { freePort } from '../support/process.js'
import { outcome, restClient } from '../support/rest.js'
import { connect } from '../support/socket.js'
import { decoded } from '../support/tokens.js'
import { fragmentOf, visitor } from '../support/visitor.js'

const settingsWith = async (provider: OAuthProvider, more: object) => {
  const port = await freePort()

  return {
    port,
    authentication: {
      oauth: { ...more, defaults: { origin: `http://localhost:${port}` }, example: provider.settings },
      'refresh-token': { strategies: ['local', 'example'] }
    }
  }
}

/** To the provider and back: the answer of the callback. */
async function signIn(t: TestApp, query = '', headers = {}): Promise<Response> {
  const browser = visitor()
  const begun = await browser.get(`${t.address}/oauth/example${query}`, headers)
  const back = await browser.get(begun.headers.get('location')!)

  return browser.get(back.headers.get('location')!)
}

describe('the way back of a sign-in by OAuth', () => {
  let provider: OAuthProvider

  before(async () => {
    provider = await startOAuthProvider()
    provider.profile = { id: 1, email: 'ada@example.com' }
  })
  after(() => provider.stop())

  for (const redirect of ['/', '/page', 'https://app.example.com', 'https://app.example.com/page/']) {
    it(`stays on the origin of "${redirect}", whatever path is asked for`, async () => {
      await withApp({ settings: await settingsWith(provider, { redirect }) }, async (t) => {
        const { origin } = new URL(redirect, t.address)

        for (const path of [
          '/evil.example.net',
          '\\evil.example.net',
          '/\\evil.example.net',
          '/\t/evil.example.net',
          '/[',
          '//evil.example.net',
          '@evil.example.net',
          '.evil.example.net',
          ':pw@evil.example.net',
          '/a\r\nSet-Cookie: a=b',
          '/\u00e9'
        ]) {
          const response = await signIn(t, `?redirect=${encodeURIComponent(path)}`)
          const location = response.headers.get('location')

          if (location !== null) {
            assert.equal(new URL(location, t.address).origin, origin, `${path} leads to ${location}`)
          } else {
            assert.equal(response.status, 401, path)
          }
        }
      })
    })
  }

  it('is checked before anybody is signed in', async () => {
    const origins = ['https://app.example.com']

    await withApp({ settings: await settingsWith(provider, { origins }) }, async (t) => {
      const response = await signIn(t, '', { referer: 'https://evil.example.net/page' })

      assert.equal(response.status, 401)
      assert.equal(response.headers.get('location'), null)
      assert.equal(await t.db.collection('users').countDocuments(), 0)
    })
  })
})

describe('OAuth sign-ins', () => {
  let provider: OAuthProvider
  let t: TestApp

  before(async () => {
    provider = await startOAuthProvider()
    t = await startApp({ settings: await settingsWith(provider, { redirect: 'https://app.example.com' }) })
  })
  beforeEach(() => {
    provider.profile = { id: 1, email: 'ada@example.com' }
  })
  after(async () => {
    await t.stop()
    await provider.stop()
  })

  it('with unknown providers are refused', async () => {
    const client = restClient(t.address)

    for (const name of [
      'nosuch',
      'local',
      'jwt',
      'refresh-token',
      'defaults',
      'redirect',
      'constructor',
      '__proto__'
    ]) {
      for (const path of [
        `/oauth/${name}`,
        `/oauth/${name}/callback`,
        `/oauth/${name}/callback?code=x&state=y`
      ]) {
        const { status } = await client.ask('GET', path)

        assert.equal(status, 404, path)
      }
    }
  })

  it('are not possible over sockets', async () => {
    const socket = await connect(t.address)

    for (const path of ['oauth/example', 'oauth/example/callback', 'oauth/nosuch/callback']) {
      for (const args of [
        ['find', path, { code: 'x' }],
        ['create', path, { code: 'x' }, {}],
        ['get', path, 'x', {}]
      ]) {
        const error = await socket.call(...(args as [string, string])).then(
          () => undefined,
          (error) => error
        )

        assert.ok([404, 405].includes(error?.code), `${args.join(' ')}: ${JSON.stringify(error)}`)
      }
    }
    socket.close()
  })

  it('leave an account without a password: none is accepted, at sign-in or for a change', async () => {
    const { access_token: token } = fragmentOf(await signIn(t))
    const id = decoded(token!).claims.sub
    const client = restClient(t.address)

    for (const guess of ['undefined', 'null', 'some horse battery']) {
      assert.equal(outcome(await client.signIn('ada@example.com', { password: guess })), '401')
      assert.equal(
        (
          await client.ask('PATCH', `/users/${id}`, {
            token: token!,
            body: { currentPassword: guess, password: 'another horse battery' }
          })
        ).status,
        403
      )
    }
  })

  it('link no account to another: a client with a token of somebody else is signed in as its own user', async () => {
    const mallory = await newPerson(t)

    provider.profile = { id: 'victim', email: 'victim@example.com' }

    const { access_token: token } = fragmentOf(await signIn(t, `?feathers_token=${mallory.accessToken}`))

    assert.notEqual(decoded(token!).claims.sub, mallory.id)
    assert.equal(await t.db.collection('users').countDocuments({ 'identities.example': 'victim' }), 1)
  })
})
