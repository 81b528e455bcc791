import { authenticate, type AuthenticationRequest } from '@feathersjs/authentication'
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { decoded } from '../../support/tokens.js'
import { outcome } from '../../support/rest.js'
import { password, twoApps, type Side, type TwoApps } from '../../support/two-apps.js'

// What Feathers' own tests of `@feathersjs/authentication` say, of both apps

/** Signs in whoever says so, and notes what it is asked. */
class FirstStrategy {
  name = ''
  static calls: unknown[][] = []

  setName(name: string) {
    this.name = name
    FirstStrategy.calls.push(['setName', name])
  }

  setApplication(app: any) {
    FirstStrategy.calls.push(['setApplication', typeof app.use])
  }

  setAuthentication(authentication: any) {
    FirstStrategy.calls.push(['setAuthentication', authentication.configKey])
  }

  verifyConfiguration() {
    FirstStrategy.calls.push(['verifyConfiguration'])
  }

  async setup(_authentication: any, name: string) {
    FirstStrategy.calls.push(['setup', name])
  }

  async authenticate({ v1, username }: AuthenticationRequest, { authenticated, provider }: any) {
    if (!v1) {
      throw new Error('Not the first')
    }

    return { strategy: this.name, authenticated, provider, ...(username && { user: { username } }) }
  }

  async parse({ headers }: any) {
    return headers?.authorization === 'first' ? { strategy: this.name } : null
  }

  async handleConnection(event: string) {
    FirstStrategy.calls.push(['handleConnection', event])
  }
}

let apps: TwoApps

before(async () => {
  apps = await twoApps({
    settings: { authStrategies: ['jwt', 'local', 'first'] },
    strategies: () => ({ first: new FirstStrategy() }),
    configure: (app) => {
      for (const name of ['login', 'logout']) {
        app.on(name, (result: any, { provider }: any, { method }: any) =>
          app.set('heard', [
            ...(app.get('heard') ?? []),
            [name, provider, method, Object.keys(result.user ?? {})]
          ])
        )
      }
    }
  })
})
after(() => apps.stop())

const of = ({ app }: Side) => app.service('authentication')

/** What a promise comes to, for a comparison. */
const result = (promise: Promise<any>) =>
  promise.then(
    (value) => value,
    ({ name, code }) => ({ name, code })
  )

describe('the strategies', () => {
  it('are told of their name, app, service and setup', async () => {
    FirstStrategy.calls = []

    await apps.asStock(async (side) => {
      const before = FirstStrategy.calls.length

      of(side).register('another', new FirstStrategy())
      await new Promise(setImmediate)
      return FirstStrategy.calls.slice(before)
    })
  })

  it('are found by name', () =>
    apps.asStock(async (side) => [
      of(side).strategyNames.filter((name: string) => name !== 'refresh-token'),
      of(side).getStrategy('first').name,
      of(side).getStrategy('nothing') ?? null,
      of(side).getStrategies('first', 'nothing', 'jwt').length
    ]))

  it('authenticate only if they are allowed', () =>
    apps.asStock(async (side) => {
      const ask = (request: any, params: object, ...allowed: string[]) =>
        result(of(side).authenticate(request, params, ...allowed))

      return [
        await ask({ strategy: 'first', v1: true }, {}, 'first'),
        await ask({ strategy: 'first', v1: true, username: 'ada' }, { provider: 'rest' }, 'jwt', 'first'),
        await ask({ strategy: 'first', v1: true }, {}, 'jwt'),
        await ask({ strategy: 'first', v1: true }, {}),
        await ask({ v1: true }, {}, 'first'),
        await ask({ strategy: 'nothing' }, {}, 'nothing'),
        await ask(null, {}, 'first')
      ]
    }))

  it('parse requests, the first that finds something', () =>
    apps.asStock(async (side) => {
      const parse = (authorization: string, ...names: string[]) =>
        of(side).parse({ headers: { authorization } }, {}, ...names)

      return [
        await parse('first', 'first'),
        await parse('first', 'first', 'jwt'),
        await parse('first', 'jwt', 'first'),
        await parse('Basic x', 'first', 'jwt'),
        await parse('first', 'nothing'),
        await parse('first')
      ]
    }))

  it('hear of connections', () =>
    apps.asStock(async (side) => {
      FirstStrategy.calls = []
      await of(side).handleConnection('disconnect', {})

      return FirstStrategy.calls.filter(([name]) => name === 'handleConnection')
    }))
})

describe('the configuration', () => {
  it('is a copy', () =>
    apps.asStock(async (side) => {
      const changed = of(side).configuration

      changed.entity = 'changed'
      delete changed.secret
      return [of(side).configuration.entity, typeof of(side).configuration.secret]
    }))
})

describe('create', () => {
  const local = { strategy: 'local', email: 'ada@example.com', password }

  before(() => apps.onBoth((side) => side.add({ email: local.email })))
  beforeEach(() => apps.onBoth(async ({ app }) => app.set('heard', [])))

  it('answers an access token, the user and the payload', () =>
    apps.asStock(async (side) => {
      const { accessToken, authentication, user } = await of(side).create(local, {})
      const { iat, exp, aud, iss, sub } = authentication.payload

      assert.deepEqual(authentication.payload, decoded(accessToken).claims)
      assert.equal(sub, String(user._id))
      return [authentication.strategy, exp - iat, aud, iss, user.email]
    }))

  it('takes a payload, and strategies, from params', () =>
    apps.asStock(async (side) => {
      const payload = { role: 'admin' }
      const { accessToken } = await of(side).create(local, { payload })

      return [
        decoded(accessToken).claims.role,
        await result(of(side).create(local, { authStrategies: ['first'] })),
        await result(of(side).create(local, { authStrategies: [] }))
      ]
    }))

  it('takes a subject from params', () =>
    apps.asStock(async (side) => {
      const { accessToken } = await of(side).create(local, { jwtOptions: { subject: 'somebody' } })

      return decoded(accessToken).claims.sub
    }))

  it('signs with the secret of params', () =>
    apps.asStock(async (side) => {
      const { accessToken } = await of(side).create(local, { secret: 'a secret of its own' })
      const verified = await of(side).verifyAccessToken(accessToken, {}, 'a secret of its own')

      return [
        typeof verified.sub,
        await result(
          of(side)
            .verifyAccessToken(accessToken)
            .then(
              () => 'accepted',
              () => 'refused'
            )
        )
      ]
    }))

  it('fails as the strategy does', () =>
    apps.asStock(async (side) => [
      await result(of(side).create({ strategy: 'first' })),
      await result(of(side).create({ ...local, password: 'wrong' })),
      await result(of(side).create({ ...local, email: 'nobody@example.com' })),
      await result(of(side).create({ strategy: 'local' }))
    ]))

  it('emits login for calls of clients only, and remove emits logout', () =>
    apps.asStock(async (side) => {
      await of(side).create(local)
      const { accessToken } = await of(side).create(local, { provider: 'rest' })
      const authentication = { strategy: 'jwt', accessToken }

      await of(side).remove(null, { provider: 'rest', authentication })
      return side.app.get('heard').map(([name, provider, method]: unknown[]) => [name, provider, method])
    }))
})

describe('remove', () => {
  it('takes the token of the call, or null', () =>
    apps.asStock(async (side) => {
      const { email } = await side.add()
      const login = async () => {
        const { accessToken } = await of(side).create({ strategy: 'local', email, password })

        return { strategy: 'jwt', accessToken }
      }
      const [first, second, third] = [await login(), await login(), await login()]
      const shown = ({ accessToken, authentication, user }: any) => [
        typeof accessToken,
        authentication?.strategy,
        user?.email === email
      ]

      return [
        shown(await result(of(side).remove(first.accessToken, { authentication: first }))),
        shown(await result(of(side).remove(null, { authentication: second }))),
        await result(of(side).remove('another token', { authentication: third })),
        await result(of(side).remove(null, { authentication: { strategy: 'jwt', accessToken: 'x' } }))
      ]
    }))
})

describe('the hook authenticate', () => {
  const request = { strategy: 'first', v1: true }

  before(() =>
    apps.onBoth(async ({ app }) => {
      app.use('things', {
        find: async ({ query: _query, ...params }: any) => params,
        get: async (id: any) => ({ id }),
        create: async (data: any) => data
      })
      app.service('things').hooks({
        around: { find: [authenticate('first', 'jwt')] },
        before: { get: [authenticate({ strategies: ['jwt'] })] },
        after: { create: [authenticate('jwt')] }
      })
    })
  )

  it('accepts what a strategy accepts, and calls of the server', () =>
    apps.asStock(async ({ app }) => {
      const things = app.service('things')

      return [
        await result(things.find({ provider: 'rest', authentication: request })),
        await result(things.find({ provider: 'rest', authentication: { strategy: 'first' } })),
        await result(things.find({ provider: 'rest', authentication: { ...request, strategy: 'local' } })),
        await result(things.find({ provider: 'rest' })),
        await result(things.find({})),
        await result(things.find({ provider: 'rest', authenticated: true })),
        await result(things.get(1, { provider: 'rest', authentication: request })),
        await result(things.get(1)),
        await result(things.create({}))
      ]
    }))

  it('can not be made without strategies, or stand on the authentication service', () =>
    apps.asStock(async ({ app }) => {
      const service = app.service('authentication')
      const hook = authenticate('jwt')

      assert.throws(() => (authenticate as any)(), /needs at least one allowed strategy/)
      assert.throws(() => authenticate({ strategies: [] }), /needs at least one allowed strategy/)
      return result(hook({ app, params: {}, type: 'before', path: 'authentication', service } as any) as any)
    }))

  it('sets what the strategy answers in params, without the access token', () =>
    apps.asStock(async (side) => {
      const { email } = await side.add()
      const { accessToken } = await side.login(email)
      const { session, ...params } = await side.app
        .service('things')
        .find({ provider: 'rest', authentication: { strategy: 'jwt', accessToken } })

      assert.equal(session !== undefined, side.isOurs)
      return [Object.keys(params).sort(), params.user.email === email]
    }))
})

describe('tokens', () => {
  it('of others are refused', () =>
    apps.asStock(async (side) => {
      const { email } = await side.add()
      const { accessToken } = await side.login(email)
      const [header, claims, signature] = accessToken.split('.')

      return [
        outcome(await side.whoami(`${header}.${claims}.${signature.slice(0, -4)}AAAA`)).slice(0, 3),
        outcome(await side.whoami('x.y.z')).slice(0, 3),
        outcome(await side.whoami(accessToken))
      ]
    }))
})
