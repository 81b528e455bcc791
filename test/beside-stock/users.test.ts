import { authenticate } from '@feathersjs/authentication'
import { hooks as localHooks } from '@feathersjs/authentication-local'
import { NotFound } from '@feathersjs/errors'
import { feathers, type HookContext } from '@feathersjs/feathers'
import { MongoDBService } from '@feathersjs/mongodb'
import { resolve, resolveExternal, resolveResult, virtual } from '@feathersjs/schema'
import { ObjectId } from 'mongodb'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AuthenticationService, RefreshTokenStrategy } from '../../src/refresh-token/index.js'
import { outcome } from '../support/rest.js'
import { leastSettings } from '../support/settings.js'
import { oneApp, twoApps, withTwoApps, type Design, type Side } from '../support/two-apps.js'

/** Without what no two runs share. */
const shown = ({ _id, ...user }: Record<string, unknown>) => user

/** What a call says of its caller, over REST and on a socket. */
async function seenBy(side: Side, token: string, headers: Record<string, string> = {}) {
  const socket = await side.socket(token)
  const { body } = await side.whoami(token, headers)

  return { rest: shown(body.user), socket: shown((await socket.call('find', 'whoami')).user) }
}

describe('a soft-deleted user', () => {
  const designs: Record<string, Design> = {
    'a condition of a hook': {
      hooks: {
        before: {
          get: [
            async (context: HookContext) => {
              context.params.query = { ...context.params.query, deleted: { $ne: true } }
            }
          ]
        }
      }
    },
    'a hook that throws': {
      hooks: {
        after: {
          get: [
            async ({ result }: HookContext) => {
              if (result.deleted) {
                throw new NotFound('There is no such user')
              }
            }
          ]
        }
      }
    },
    getEntityQuery: {
      strategies: ({ JWTStrategy }) => ({
        jwt: new (class extends JWTStrategy {
          async getEntityQuery() {
            return { deleted: { $ne: true } }
          }
        })() as never
      })
    },
    'the filters of the class': {
      users: (Model) =>
        new (class extends MongoDBService {
          override filterQuery(id: any, params: any) {
            const { query, filters } = super.filterQuery(id, params)

            return { query: { ...query, deleted: { $ne: true } }, filters }
          }
        })({ Model })
    }
  }

  for (const [name, design] of Object.entries(designs)) {
    it(`is refused at once, by ${name}`, () =>
      withTwoApps(design, async ({ onBoth, ours }) => {
        await onBoth(async (side) => {
          const { _id } = await side.add({ email: 'ada@example.com' })
          const { accessToken, refreshToken } = await side.login('ada@example.com')
          const socket = await side.socket(accessToken)

          assert.equal(outcome(await side.whoami(accessToken)), '200')
          assert.equal((await socket.call('find', 'whoami')).user.email, 'ada@example.com')

          await side.app.service('users').patch(_id, { deleted: true })

          const refused = await side.whoami(accessToken)

          assert.equal(outcome(refused), side === ours ? '401 revoked' : '404')
          await assert.rejects(socket.call('find', 'whoami'), { code: side === ours ? 401 : 404 })

          if (side === ours) {
            assert.equal(outcome(await side.client.refresh(refreshToken)), '401 revoked')
          }
        })
      }))
  }
})

describe('a hook that fails in its own way', () => {
  it('keeps its own error', () =>
    withTwoApps(
      {
        hooks: {
          before: {
            get: [
              async ({ params }: HookContext) => {
                if (params.headers?.['x-fail'] === 'yes') {
                  throw Object.assign(new Error('The directory is down'), { code: 502, name: 'BadGateway' })
                }
              }
            ]
          }
        }
      },
      async ({ asStock }) => {
        const answer = await asStock(async (side) => {
          await side.add({ email: 'ada@example.com' })
          const { accessToken } = await side.login('ada@example.com')
          const { status, body } = await side.whoami(accessToken, { 'x-fail': 'yes' })

          return { status, message: body.message }
        })

        assert.equal(answer.message, 'The directory is down')
      }
    ))
})

describe('what the app makes of a user', () => {
  const hidden = resolve<any, HookContext>({ password: async () => undefined, secret: async () => undefined })
  const design: Design = {
    hooks: {
      around: {
        all: [
          resolveExternal(hidden),
          resolveResult(
            resolve<any, HookContext>({
              fullName: virtual(async ({ first, last }) => `${first} ${last}`),
              tenant: virtual(async (_user, { params }) => params.headers?.['x-tenant'] ?? null),
              stripped: async () => undefined
            })
          )
        ]
      },
      after: {
        get: [
          async ({ result, app }: HookContext) => {
            result.permissions = await app.service('permissions').find({ query: { role: result.role } })
          }
        ]
      }
    },
    configure: (app) => {
      app.use('permissions', { find: async ({ query }: any) => [`${query.role}:read`] })
      app.use('profile', { find: async ({ user }: any) => ({ of: user, at: 'profile' }) })
      app.service('profile').hooks({ around: { all: [authenticate('jwt'), resolveExternal()] } })
      app.use('proxy', {
        create: async (data: any) => ({ login: await app.service('authentication').create(data) })
      })
      app.service('proxy').hooks({ around: { all: [resolveExternal()] } })
    }
  }
  const ada = {
    email: 'ada@example.com',
    first: 'Ada',
    last: 'Lovelace',
    role: 'admin',
    secret: 'not for clients',
    stripped: 'not for anybody'
  }

  it('is in params.user, over REST and on a socket', () =>
    withTwoApps(design, async ({ asStock }) => {
      const { rest, socket } = await asStock(async (side) => {
        await side.add(ada)

        const seen = await seenBy(side, (await side.login(ada.email)).accessToken, { 'x-tenant': 'a' })

        delete seen.rest.password // ours keeps no hash in memory, and none gets into params
        delete seen.socket.password
        return seen
      })

      assert.equal(rest.fullName, 'Ada Lovelace')
      assert.equal(rest.tenant, 'a')
      assert.equal(socket.tenant, null)
      assert.deepEqual(rest.permissions, ['admin:read'])
      assert.ok('secret' in rest && !('stripped' in rest))
    }))

  it('is answered to each caller as the app answers that caller', () =>
    withTwoApps(design, async ({ asStock }) => {
      const tenants = await asStock(async (side) => {
        await side.add(ada)
        const { accessToken } = await side.login(ada.email)
        const body = { strategy: 'jwt', accessToken }
        const found = []

        for (const tenant of ['a', 'b', 'a']) {
          const headers = { 'x-tenant': tenant }
          const answer = await side.client.ask('POST', '/authentication', { body, headers })

          found.push(shown(answer.body.user))
        }

        return found
      })

      assert.deepEqual(
        tenants.map(({ tenant }: any) => tenant),
        ['a', 'b', 'a']
      )
      assert.ok(tenants.every((user: any) => !('secret' in user || 'password' in user)))
    }))

  it('hides the same fields when a service answers params.user, or the result of a sign-in', () =>
    withTwoApps(design, async ({ asStock }) => {
      const [profile, login] = await asStock(async (side) => {
        await side.add(ada)
        const { accessToken: token, refreshToken } = await side.login(ada.email)
        const { body } = await side.client.ask('GET', '/profile', { token })
        const proxied = await side.client.ask('POST', '/proxy', {
          body: { strategy: 'jwt', accessToken: token }
        })

        if (refreshToken) {
          const refreshed = await side.client.ask('POST', '/proxy', {
            body: { strategy: 'refresh-token', refreshToken }
          })

          assert.deepEqual(
            Object.keys(refreshed.body.login.user).sort(),
            Object.keys(proxied.body.login.user).sort()
          )
        }

        return [shown(body.of), shown(proxied.body.login.user)]
      })

      for (const user of [profile, login]) {
        assert.equal(user.fullName, 'Ada Lovelace')
        assert.ok(!('secret' in user || 'password' in user || 'sessions' in user))
      }
    }))

  it('is its own for each call, which may change it', () =>
    withTwoApps(
      {
        ...design,
        configure: (app) => {
          design.configure!(app, undefined as never)
          app.service('whoami').hooks({
            before: {
              find: [
                async ({ params }: HookContext) => {
                  params.user.permissions.push('changed')
                  params.user.nested.deep = 'changed'
                }
              ]
            }
          })
        }
      },
      async ({ asStock }) => {
        const [first, second] = await asStock(async (side) => {
          await side.add({ ...ada, nested: { deep: 'as stored', list: [1, 2] } })
          const { accessToken } = await side.login(ada.email)
          const users = []

          for (let call = 0; call < 2; call++) {
            const { permissions, nested } = (await side.whoami(accessToken)).body.user

            users.push({ permissions, nested })
          }

          return users
        })

        assert.deepEqual(first, second)
      }
    ))

  it('is what a hook reads again after it changed the user', () =>
    withTwoApps(
      {
        hooks: {
          after: {
            get: [
              async (context: HookContext) => {
                const { params, id, service, app } = context

                if (!params.again) {
                  await app.get('visits')(id)
                  context.result = await service.get(id, { ...params, again: true })
                }
              }
            ]
          }
        },
        configure: (app) => {
          app.set('visits', async (_id: unknown) => {
            const users = await app.service('users').getModel()

            await users.updateMany({}, { $inc: { visits: 1 } })
          })
        }
      },
      async ({ asStock }) => {
        const visits = await asStock(async (side) => {
          await side.add({ email: 'ada@example.com' })
          const { accessToken } = await side.login('ada@example.com')
          const found = []

          for (let call = 0; call < 3; call++) {
            found.push((await side.whoami(accessToken)).body.user.visits)
          }

          return found
        })

        assert.deepEqual(visits, [visits[0], visits[0] + 1, visits[0] + 2])
      }
    ))
})

describe('getEntity and getEntityId of a subclass', () => {
  it('are called as in Feathers', () =>
    withTwoApps(
      {
        strategies: ({ JWTStrategy }) => ({
          jwt: new (class extends JWTStrategy {
            async getEntityId(authResult: any) {
              return authResult.authentication.payload.sub.replace('person:', '')
            }

            async getEntity(id: any, params: any) {
              return { ...(await super.getEntity(id, params)), by: 'the subclass' }
            }
          })() as never
        }),
        service: (kit) =>
          class extends kit.AuthenticationService {
            async getTokenOptions(authResult: any, params: any) {
              const options = await super.getTokenOptions(authResult, params)

              return { ...options, subject: `person:${options.subject}` }
            }
          }
      },
      async ({ asStock, ours }) => {
        const user = await asStock(async (side) => {
          await side.add({ email: 'ada@example.com' })
          const { accessToken } = await side.login('ada@example.com')
          const { email, by } = (await side.whoami(accessToken)).body.user

          return { email, by }
        })

        assert.deepEqual(user, { email: 'ada@example.com', by: 'the subclass' })

        const login = await ours.login('ada@example.com')
        const refreshed = await ours.client.refresh(login.refreshToken)

        assert.equal(outcome(refreshed), '201')
        assert.equal(refreshed.body.user.by, 'the subclass')
        assert.equal(
          outcome(await ours.client.ask('DELETE', '/authentication', { token: refreshed.body.accessToken })),
          '200'
        )
        assert.equal(outcome(await ours.whoami(refreshed.body.accessToken)), '401 revoked')
      }
    ))
})

describe('entityService of a subclass', () => {
  it('is asked as in Feathers', () =>
    withTwoApps(
      {
        strategies: ({ JWTStrategy }) => ({
          jwt: new (class extends JWTStrategy {
            get entityService() {
              return this.app.service('people')
            }
          })() as never
        }),
        configure: (app) => {
          app.use('people', {
            get: async (id: any) => ({ ...(await app.service('users').get(id)), from: 'people' })
          })
        }
      },
      async ({ asStock }) => {
        await asStock(async (side) => {
          await side.add({ email: 'ada@example.com' })
          const { accessToken } = await side.login('ada@example.com')
          const { email, from } = (await side.whoami(accessToken)).body.user

          return [email, from]
        })
      }
    ))
})

describe('calls of the database', () => {
  const designs: [name: string, design: Design, reads: number][] = [
    ['none, if the service adds nothing', {}, 0],
    [
      'none, if its hooks and resolvers only compute',
      {
        hooks: {
          around: { all: [resolveResult(resolve<any, HookContext>({ name: virtual(async () => 'Ada') }))] }
        }
      },
      0
    ],
    [
      'one, if its class asks for fields',
      {
        users: (Model) =>
          new (class extends MongoDBService {
            override getProjection(select: any): any {
              return super.getProjection(select) ?? { email: 1 }
            }
          })({ Model })
      },
      1
    ],
    [
      'none, if its class leaves fields out',
      {
        users: (Model) =>
          new (class extends MongoDBService {
            override getProjection(select: any): any {
              return super.getProjection(select) ?? { secret: 0 }
            }
          })({ Model })
      },
      0
    ],
    [
      'one, if its class reads by itself',
      {
        users: (Model) =>
          new (class extends MongoDBService {
            override async _get(id: any, params: any) {
              return super._get(id, params)
            }
          })({ Model })
      },
      1
    ],
    [
      'one, if its hook selects fields',
      {
        hooks: {
          before: {
            get: [
              async ({ params }: HookContext) => {
                params.query = { ...params.query, $select: ['email'] }
              }
            ]
          }
        }
      },
      1
    ],
    [
      'one, if its hook adds a pipeline',
      {
        hooks: {
          before: {
            get: [
              async ({ params }: HookContext) => {
                params.pipeline = [{ $set: { added: true } }]
              }
            ]
          }
        }
      },
      1
    ],
    [
      'none of its own, if its hook chooses another collection',
      {
        hooks: {
          before: {
            get: [
              async ({ params, service }: HookContext) => {
                const users = await service.getModel()

                params.adapter = { Model: users.db.collection('users') }
              }
            ]
          }
        }
      },
      0
    ],
    [
      'none, if a hook names the same user again',
      {
        hooks: {
          before: {
            get: [
              async ({ params, id }: HookContext) => {
                params.query = { ...params.query, _id: id }
              }
            ]
          }
        }
      },
      0
    ]
  ]

  for (const [name, design, reads] of designs) {
    it(`takes a call: ${name}`, () =>
      withTwoApps(
        {
          ...design,
          configure: (app) => {
            app.set('reads', 0)
            const service = app.service('users')
            const { Model } = service.options

            service.options.Model = new Proxy(Model, {
              get(collection, property) {
                const value = collection[property]

                if (property === 'findOne' || property === 'aggregate') {
                  app.set('reads', app.get('reads') + 1)
                }

                return typeof value === 'function' ? value.bind(collection) : value
              }
            })
          }
        },
        async ({ onBoth, ours }) => {
          const users = await onBoth(async (side) => {
            await side.add({ email: 'ada@example.com', secret: 'x' })
            const { accessToken } = await side.login('ada@example.com')
            const before = async () => {
              side.app.set('reads', 0)

              const { user } = (await side.whoami(accessToken)).body

              delete user.password
              return shown(user)
            }
            let user = await before()

            if (side === ours) {
              const { live } = side.app.service('authentication')
              const deadline = Date.now() + 5000

              // Until the stream has told of the sign-in
              while (side.app.get('reads') !== reads && Date.now() < deadline) {
                user = await before()
              }

              assert.equal(side.app.get('reads'), reads)
              assert.ok(live.changes.isFresh)
            }

            return user
          })

          assert.deepEqual(users[1], users[0])
        }
      ))
  }
})

describe('internal calls of the users service', () => {
  it('reads as usual without a token', () =>
    withTwoApps({}, async ({ asStock }) => {
      await asStock(async (side) => {
        const { _id, email } = await side.add()

        return (await side.app.service('users')._get(_id)).email === email
      })
    }))

  it('may look like that of an adapter', () =>
    withTwoApps(
      {
        users: (Model) => ({
          id: '_id',
          getModel: () => Model,
          create: async (data: object) => {
            const { insertedId: _id } = await Model.insertOne(data)

            return { _id, ...data }
          },
          find: async ({ query: { $limit: _limit, ...query } }: any) => Model.find(query).toArray(),
          get(this: any, id: string) {
            return this._get(id)
          },
          _get: async (id: string) => Model.findOne({ _id: new ObjectId(id) })
        })
      },
      async ({ asStock }) => {
        await asStock(async (side) => {
          await side.add({ email: 'ada@example.com' })
          const { accessToken } = await side.login('ada@example.com')

          return (await side.whoami(accessToken)).body.user.email
        })
      }
    ))
})

describe('a strategy of refresh tokens alone', () => {
  it('asks the users service by itself', async () => {
    const app: any = feathers()

    app.set('authentication', {
      ...leastSettings,
      authStrategies: ['refresh-token'],
      'refresh-token': { secret: 'a key of refresh tokens', strategies: [] }
    })
    const service = new AuthenticationService(app)
    const strategy = new RefreshTokenStrategy()

    service.register('refresh-token', strategy)
    app.use('users', { get: async (id: string, { query }: any) => ({ _id: id, query }) })
    assert.deepEqual(await strategy.getEntity('ada', {}), { _id: 'ada', query: {} })
    assert.equal(service.idOf({ _id: 'ada' }), 'ada') // of a service that doesn't name the field
  })
})

describe('entityCache', () => {
  it('has no effect without a change stream, or for an entity of a class', async () => {
    class Person {
      _id!: unknown
      email!: string
    }

    const asPerson = async (context: HookContext) => {
      context.result = Object.assign(new Person(), context.result)
    }

    for (const design of [{ isWithoutSetup: true }, { hooks: { after: { get: [asPerson] } } }]) {
      const side = await oneApp({ ...design, refreshToken: { entityCache: true } })

      try {
        const { email, _id } = await side.add()
        const { accessToken } = await side.login(email)
        const jwt = side.app.service('authentication').getStrategy('jwt')

        for (let call = 0; call < 3; call++) {
          assert.equal((await side.whoami(accessToken)).body.user.email, email)
        }

        assert.equal((await jwt.getEntity(String(_id), { provider: 'rest' })).email, email)
      } finally {
        await side.stop()
      }
    }
  })

  it('keeps what the hooks made of a user until the user changes', async () => {
    let runs = 0
    const apps = await twoApps({
      refreshToken: { entityCache: true },
      hooks: {
        after: {
          get: [
            async ({ result }: HookContext) => {
              runs++
              result.roles = ['made by a hook']
            }
          ]
        }
      }
    })
    const { ours } = apps

    try {
      await ours.add({ email: 'ada@example.com', name: 'Ada' })
      const { accessToken } = await ours.login('ada@example.com')
      const deadline = Date.now() + 5000
      let before = -1

      while (before !== runs && Date.now() < deadline) {
        before = runs
        await ours.whoami(accessToken)
      }

      assert.equal(runs, before)

      const { user } = (await ours.whoami(accessToken)).body

      assert.deepEqual([user.name, user.roles], ['Ada', ['made by a hook']])
      await ours.app.service('users').patch(user._id, { name: 'Ada Lovelace' })
      assert.equal((await ours.whoami(accessToken)).body.user.name, 'Ada Lovelace')
      assert.ok(runs > before)
    } finally {
      await apps.stop()
    }
  })

  it('shows clients what the app shows them, however it hides fields', async () => {
    const apps = await twoApps({
      refreshToken: { entityCache: true },
      hooks: { after: { all: [localHooks.protect('secret')] } }
    })

    try {
      const users = await apps.onBoth(async (side) => {
        await side.add({ email: 'ada@example.com', secret: 'x' })
        const { accessToken, refreshToken, user } = await side.login('ada@example.com')
        const { body } = await side.client.authenticate({ strategy: 'jwt', accessToken })

        assert.equal((await side.whoami(accessToken)).body.user.secret, 'x') // what the server sees
        return [
          user,
          body.user,
          ...(side.isOurs ? [(await side.client.refresh(refreshToken)).body.user] : [])
        ]
      })

      for (const user of users.flat()) {
        assert.equal(user.email, 'ada@example.com')
        assert.ok(!('secret' in user))
      }
    } finally {
      await apps.stop()
    }
  })
})
