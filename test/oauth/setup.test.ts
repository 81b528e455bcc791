import { AuthenticationService as FeathersAuthenticationService } from '@feathersjs/authentication'
import { feathers, type Application } from '@feathersjs/feathers'
import { bodyParser, koa, rest } from '@feathersjs/koa'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AuthenticationService, ConfigurationError } from '../../src/refresh-token/index.js'
import { OAuthStrategy, oauth } from '../../src/refresh-token/oauth/index.js'
import { withApp } from '../support/app.js'
import { startOAuthProvider } from '../support/oauth-provider.js'
import { freePort } from '../support/process.js'
import { leastSettings, settingsWith } from '../support/settings.js'
import { fragmentOf, locationOf, visitor } from '../support/visitor.js'

/** An app of somebody else's, with a provider `example`. */
function otherApp(changes: object = {}): { app: Application; service: AuthenticationService } {
  const app: any = koa(feathers())

  app.set('authentication', { ...leastSettings, ...changes })
  app.set('host', 'localhost')
  app.set('port', 3030)
  app.set('origins', ['https://app.example.com'])
  app.use(bodyParser())
  app.configure(rest())
  const service = new AuthenticationService(app)

  app.use('login', service)
  return { app, service }
}

const example = { key: 'an app', secret: 'of an app and its provider', oauth: 2 }
const sentence = (text: string) => new ConfigurationError(text)

describe('OAuth sign-ins', () => {
  it('need our authentication service', () => {
    const app = feathers()

    app.set('authentication', { ...leastSettings, jwtOptions: {} })
    assert.throws(
      () => app.configure(oauth()),
      sentence(
        'OAuth sign-ins need the AuthenticationService of moult: register it before they are configured'
      )
    )

    const service = new FeathersAuthenticationService(app)

    assert.throws(
      () => service.register('example', new OAuthStrategy()),
      sentence('The OAuth strategy needs the AuthenticationService of moult: register it there')
    )
  })

  it('are off unless they are configured', () => {
    const { app } = otherApp()

    app.configure(oauth())
    assert.deepEqual(Object.keys(app.services), ['login'])
  })

  it('are at a path of the app', () => {
    const { app } = otherApp({ oauth: { defaults: { prefix: '/with' }, example } })

    app.configure(oauth({ authService: 'login' }))
    assert.ok(Object.keys(app.services).includes('with/:provider/callback'))
  })

  it('ask for proof, unless the app says otherwise', () => {
    const { app } = otherApp({ oauth: { defaults: { pkce: false }, example } })

    app.configure(oauth())
    assert.deepEqual(app.get('authentication').oauth.defaults, { state: true, pkce: false })
  })

  it('can not be a strategy that clients may use, unless it verifies what they claim', () => {
    const { service } = otherApp({
      authStrategies: ['jwt', 'local', 'refresh-token', 'example'],
      oauth: { example }
    })

    assert.throws(
      () => service.register('example', new OAuthStrategy()),
      sentence(
        'authentication.authStrategies names "example", so anybody could sign in with a made-up profile: ' +
          'remove it, OAuth needs it in authentication.refresh-token.strategies only'
      )
    )

    class Asking extends OAuthStrategy {
      override async getProfile() {
        return { id: 'of the provider' }
      }
    }

    service.register('example', new Asking())
  })

  it('use the id that the provider gives', async () => {
    const { service } = otherApp({ oauth: { example } })
    const strategy = new OAuthStrategy()

    service.register('example', strategy)
    assert.deepEqual(await strategy.getEntityQuery({ sub: 'a' }, {}), { exampleId: 'a' })
    assert.deepEqual(await strategy.getEntityData({ id: 7 }, null, {}), { exampleId: 7 })

    for (const profile of [{}, { id: '' }, { id: { $ne: 1 } }, { sub: null as never }]) {
      await assert.rejects(strategy.getEntityQuery(profile as never, {}), { code: 401 })
    }
  })

  it('return to the setting redirect, or to an origin', async () => {
    const destination = async (oauth: object) => {
      const { service } = otherApp({ oauth })
      const strategy = new OAuthStrategy()

      service.register('example', strategy)
      return strategy.getAllowedOrigin({ headers: {} })
    }

    assert.equal(await destination({ redirect: '/here', example }), '/here')
    assert.equal(await destination({ example }), 'https://app.example.com')
    assert.equal(
      await destination({ redirect: '/here', origins: ['https://b.example.com'], example }),
      'https://b.example.com'
    )
  })

  it('check their settings', () => {
    for (const [oauth, text] of [
      [7, 'authentication.oauth can not be used: write an object of providers by their names'],
      [
        { redirect: 7 },
        'authentication.oauth.redirect is 7: write the address of a page, such as "https://app.example.com/signed-in"'
      ],
      [
        { github: 'a secret' },
        'authentication.oauth.github can not be used: write an object with key and secret, as the provider gave them'
      ]
    ] as const) {
      assert.throws(() => settingsWith({ oauth }), sentence(text))
    }

    assert.throws(
      () => settingsWith({ oauth: { example }, 'refresh-token': { strategies: ['other'] } }),
      sentence(
        'authentication.refresh-token.strategies names "other", which is not in authStrategies: ' +
          'write one of ["jwt","local","refresh-token","example"]'
      )
    )
  })
})

describe('a sign-in by OAuth', () => {
  it('without an address to return to is answered directly', async () => {
    const provider = await startOAuthProvider()
    const port = await freePort()

    provider.profile = { id: 1, email: 'ada@example.com' }
    await withApp(
      {
        settings: {
          port,
          origins: ['http://app.example.com'],
          authentication: {
            oauth: { defaults: { origin: `http://localhost:${port}` }, example: provider.settings },
            'refresh-token': { strategies: ['local', 'example'] }
          }
        }
      },
      async (t) => {
        const response = await visitor().follow(`${t.address}/oauth/example?redirect=/%23/home`)

        assert.equal(locationOf(response).origin, 'http://app.example.com')
        assert.match(locationOf(response).hash, /^#\/home\?access_token=eyJ/)
        assert.equal(fragmentOf(response).access_token, undefined)
      }
    )
    await provider.stop()
  })
})
