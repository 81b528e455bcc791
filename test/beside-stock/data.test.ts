import { authenticate } from '@feathersjs/authentication'
import { hooks as localHooks } from '@feathersjs/authentication-local'
import type { HookContext } from '@feathersjs/feathers'
import { MongoDBService } from '@feathersjs/mongodb'
import { UUID } from 'mongodb'
import mongoose from 'mongoose'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { ConfigurationError, hideSessions } from '../../src/refresh-token/index.js'
import { UserService } from '../support/mongoose-users.js'
import { atOnce, outcome } from '../support/rest.js'
import { poll } from '../support/socket.js'
import { oneApp, outcomes, password, withTwoApps, type Design, type Side } from '../support/two-apps.js'

const { hashPassword } = localHooks

/** Signs in, calls, refreshes if it can, and signs out. */
async function lives(side: Side, request: object): Promise<unknown> {
  const login = await side.client.authenticate({ strategy: 'local', password, ...request })
  const { accessToken: token, refreshToken } = login.body
  const answers = [login, await side.whoami(token)]
  const { _id, ...user } = answers[1]!.body.user ?? {}

  if (side.isOurs) {
    const refreshed = await side.client.refresh(refreshToken)

    assert.equal(outcome(refreshed), '201')
    assert.equal(outcome(await side.whoami(refreshed.body.accessToken)), '200')
  }

  answers.push(await side.client.ask('DELETE', '/authentication', { token }))

  if (side.isOurs) {
    assert.equal(outcome(await side.whoami(token)), '401 revoked')
  }

  delete user.password
  delete user.auth?.password
  return [outcomes(answers), user]
}

describe('a name and a password in nested fields', () => {
  const design: Design = {
    settings: { local: { usernameField: 'auth.email', passwordField: 'auth.password' } },
    hooks: {
      before: { create: [hashPassword('auth.password')], patch: [hashPassword('auth.password')] }
    }
  }
  const auth = { email: 'ada@example.com', password }

  it('sign in, refresh and sign out', () =>
    withTwoApps(design, async ({ asStock }) => {
      await asStock(async (side) => {
        await side.app.service('users').create({ auth, name: 'Ada' })

        return lives(side, { auth })
      })
    }))

  it('are neither cached nor in params', async () => {
    const side = await oneApp(design)

    try {
      const { _id } = await side.app.service('users').create({ auth })
      const { accessToken, user } = (await side.client.authenticate({ strategy: 'local', auth })).body
      const { live } = side.app.service('authentication')
      let seen = await side.whoami(accessToken)

      await poll(async () => {
        seen = await side.whoami(accessToken)
        return live.cache.get(String(_id)) !== undefined
      }, 'the user in memory')

      for (const shown of [seen.body.user, user, live.cache.get(String(_id)).user()]) {
        assert.deepEqual(shown.auth, { email: auth.email })
      }
    } finally {
      await side.stop()
    }
  })

  for (const moment of ['before', 'after']) {
    it(`open no session if the password changes meanwhile: ${moment} Feathers reads the user again`, async () => {
      let change = async () => {}
      const { before } = design.hooks as { before: object }
      const hook = { get: [async () => change()] }
      const hooks = moment === 'before' ? { before: { ...before, ...hook } } : { before, after: hook }
      const side = await oneApp({ ...design, hooks })

      try {
        const { _id } = await side.app.service('users').create({ auth })

        change = async () => {
          await side.users.updateOne({ _id }, { $set: { 'auth.password': 'another hash' } })
        }

        assert.equal(outcome(await side.client.authenticate({ strategy: 'local', auth })), '401')
        assert.deepEqual((await side.users.findOne())!.sessions ?? [], [])
      } finally {
        await side.stop()
      }
    })
  }
})

describe('a user without the object of the nested fields', () => {
  it('stays as it is', () =>
    withTwoApps(
      {
        settings: {
          local: { usernameField: 'email', passwordField: 'password', entityPasswordField: 'auth.hash' }
        }
      },
      async ({ asStock }) => {
        await asStock(async (side) => {
          const { insertedId } = await side.users.insertOne({ email: 'ada@example.com', auth: null })
          const service = side.app.service('authentication')
          const user = await service.getStrategy('jwt').getEntity(String(insertedId), {})

          return [user.email, user.auth]
        })
      }
    ))
})

describe('ids of other kinds', () => {
  const numbers = (Model: any) =>
    new (class extends MongoDBService {
      override getObjectId(id: any) {
        return Number(id) as any
      }
    })({ Model })
  const kinds: Record<string, Design & { id: unknown; field?: string }> = {
    'a field other than _id': {
      id: 'ada',
      field: 'id',
      users: (Model) => new MongoDBService({ Model, id: 'id' })
    },
    text: { id: 'ada' },
    'text of digits': { id: '42' },
    'text that could be an ObjectId': {
      id: 'aaaaaaaaaaaaaaaaaaaaaaaa',
      users: (Model) => new MongoDBService({ Model, disableObjectify: true })
    },
    'numbers, read by the class': { id: 42, users: numbers },
    'numbers, read by a hook': {
      id: 42,
      users: (Model) => new MongoDBService({ Model, disableObjectify: true }),
      hooks: {
        before: {
          get: [
            async (context: HookContext) => {
              context.id = Number(context.id)
            }
          ]
        }
      }
    },
    'UUIDs as text': { id: '0198c5f0-0000-7000-8000-000000000000' }
  }

  for (const [name, { id, field = '_id', ...design }] of Object.entries(kinds)) {
    it(`work without a setting: ${name}`, () =>
      withTwoApps(design, async ({ asStock }) => {
        await asStock(async (side) => {
          await side.app.service('users').create({ email: 'ada@example.com', password, [field]: id })

          return lives(side, { email: 'ada@example.com' })
        })
      }))
  }

  for (const [name, design, user, sentence] of [
    [
      'ids that the adapter refuses',
      {},
      { _id: new UUID('0198c5f0-0000-7000-8000-000000000000') },
      /^Users can not be found by their ids in tokens, such as "0198c5f0-0000-7000-8000-000000000000": store ids/
    ],
    [
      'numbers that the adapter makes ObjectIds of',
      {},
      { _id: 42 },
      /^Users can not be found by their ids in tokens, such as "42": give the entity service the option disableObjectify: true$/
    ],
    [
      'ids that no text stands for',
      {},
      { _id: { tenant: 1, number: 2 } },
      /^Users can not be found by their ids in tokens, such as "\[object Object\]": store ids/
    ],
    [
      'documents without the field',
      { settings: { entityId: 'id' } },
      {},
      /^Users have no field id, which should hold their id: write the name of the field that holds it in authentication\.entityId/
    ],
    [
      'a field sessions of another kind',
      {},
      { sessions: [{ film: 'Metropolis', at: '20:00' }] },
      /^Users have a field sessions that holds something other than sessions: write the name of a field .* in authentication\.refresh-token\.sessionsField$/
    ]
  ] as [string, Design, object, RegExp][]) {
    it(`cause a warning at the start: ${name}`, async () => {
      const warnings: string[] = []
      const side = await oneApp({
        ...design,
        isWithoutSetup: true,
        service: ({ AuthenticationService }) =>
          class extends AuthenticationService {
            constructor(app: any) {
              super(app, 'authentication', { warn: (sentence: string) => warnings.push(sentence) })
            }
          }
      })

      try {
        await side.users.insertOne(user)
        await side.app.setup()
        await poll(() => warnings.length > 0, 'a warning')
        await side.app.teardown()
        assert.equal(warnings.length, 1)
        assert.match(warnings[0]!, sentence)
      } finally {
        await side.stop()
      }
    })
  }
})

describe('users with a field `sessions` of their own', () => {
  for (const sessions of ['none', 3, [1, 2], [{ film: 'Metropolis' }], { film: 'Metropolis' }]) {
    it(`lose nothing: ${JSON.stringify(sessions)}`, async () => {
      const side = await oneApp()

      try {
        await side.add({ email: 'ada@example.com' })
        await side.users.updateOne({}, { $set: { sessions } })

        const request = { strategy: 'local', email: 'ada@example.com', password }

        assert.equal(outcome(await side.client.authenticate(request)), '500')
        assert.deepEqual((await side.users.findOne())!.sessions, sessions)
        await assert.rejects(side.app.service('authentication').create(request), {
          message: /^The field sessions of this user holds something other than sessions: write the name/
        })
      } finally {
        await side.stop()
      }
    })
  }

  it('keep it, and show it, if sessions are elsewhere', () =>
    withTwoApps({ refreshToken: { sessionsField: 'logins' } }, async ({ asStock, ours }) => {
      const sessions = ['Metropolis', 'M']

      await asStock(async (side) => {
        await side.add({ email: 'ada@example.com', sessions })
        const found = await lives(side, { email: 'ada@example.com' })
        const { accessToken: token } = await side.login('ada@example.com')
        const answers = [
          await side.client.ask('GET', '/users?sessions=M', { token }),
          await side.client.ask('GET', '/users', { token })
        ]

        return [found, answers.map(({ body }) => [body[0].sessions, Object.keys(body[0]).sort()])]
      })

      const { logins } = (await ours.users.findOne())!

      assert.equal(logins.length, 1)
      assert.equal(outcome(await ours.client.ask('GET', '/users?logins.strategy=local')), '400')
    }))

  it('work with every verb of the sessions', async () => {
    const side = await oneApp({ refreshToken: { sessionsField: 'logins' } })

    try {
      const { sessions, live } = side.app.service('authentication')
      const { _id, email } = await side.add()
      const userId = String(_id)
      const phone = await side.login(email, { device: { id: 'phone' } })
      const again = await side.login(email, { device: { id: 'phone' } })
      const socket = await side.socket(again.accessToken)

      await poll(() => live.changes.isFresh, 'the change stream')
      assert.equal(outcome(await side.client.refresh(phone.refreshToken)), '401 revoked')
      assert.equal((await sessions.rename(userId, again.session.id, 'Phone')).device.name, 'Phone')
      assert.deepEqual(
        (await sessions.list(userId)).map(({ id }: any) => id),
        [again.session.id]
      )
      // As another process does
      await side.users.updateOne({ _id }, { $set: { logins: [] } })
      assert.equal(await socket.disconnected(), 'io server disconnect')

      await side.login(email)
      await side.login(email)
      assert.equal((await sessions.endAll(userId, 'revoked')).length, 2)
      assert.equal(await sessions.endAll('5f0000000000000000000000', 'revoked'), null)
    } finally {
      await side.stop()
    }
  })
})

describe('a hook of the app that answers no user', () => {
  for (const answer of [null, 7, 'Ada', [null, { name: 'Ada' }]]) {
    it(`never causes a 500: ${JSON.stringify(answer)}`, async () => {
      let isOn = false
      const answering = async (context: HookContext) => {
        if (isOn) {
          context.result = answer
        }
      }
      const side = await oneApp({
        isBare: true,
        hooks: { after: { get: [answering], find: [answering], patch: [answering] } }
      })

      try {
        const { _id, email } = await side.add()
        const { accessToken: token, refreshToken } = await side.login(email)

        isOn = true
        assert.deepEqual(
          outcomes([
            await side.whoami(token),
            await side.client.refresh(refreshToken),
            await side.client.ask('POST', '/authentication', {
              body: { strategy: 'jwt', accessToken: token }
            })
          ]),
          Array(3).fill('401 revoked')
        )
        assert.ok((await side.client.ask('PATCH', `/users/${_id}`, { body: { name: 'x' } })).status < 300)
        assert.ok((await side.client.ask('GET', '/users')).status < 300)
      } finally {
        await side.stop()
      }
    })
  }
})

describe('a hook that answers no user to a sign-in', () => {
  it('signs nobody in, as in Feathers', () =>
    withTwoApps(
      {
        isBare: true,
        hooks: {
          after: {
            get: [
              async (context: HookContext) => {
                context.result = null
              }
            ]
          }
        }
      },
      async ({ asStock }) => {
        await asStock(async (side) => {
          const { email } = await side.add()
          const login = await side.client.authenticate({ strategy: 'local', email, password })

          return [login.status, login.body.user, login.body.authentication.payload.sub ?? null]
        })
      }
    ))
})

describe('a second service on the collection of the users', () => {
  it('hides sessions with hideSessions', async () => {
    const side = await oneApp({
      configure: (app) => {
        const { Model } = app.service('users').options

        app.use('profiles', new MongoDBService({ Model }))
        app.service('profiles').hooks({ around: { all: [hideSessions()] } })
      }
    })

    try {
      const { email, _id } = await side.add()

      await side.login(email)
      const { body } = await side.client.ask('GET', `/profiles/${_id}`)

      assert.equal(body.email, email)
      assert.ok(!('sessions' in body))
      assert.equal(outcome(await side.client.ask('GET', '/profiles?sessions.strategy=local')), '400')
    } finally {
      await side.stop()
    }
  })
})

describe('a users service on Mongoose', () => {
  const schema = new mongoose.Schema({ email: String, password: String, name: String }, { versionKey: false })
  const design = (kind: 'service' | 'documents'): Design => ({
    users: (collection) => {
      const url = new URL(process.env.MONGODB_URL!)

      url.pathname = collection.dbName

      const connection = mongoose.createConnection(url.href)
      const User = connection.model('User', schema, 'users')

      return Object.assign(
        kind === 'service'
          ? new UserService(User)
          : new (class extends UserService {
              override getModel() {
                return undefined as never
              }

              Model = User

              override async get(id: any) {
                return (await User.findById(id)) as never
              }
            })(User),
        { teardown: () => connection.close(), ...(kind === 'documents' && { getModel: undefined }) }
      )
    }
  })

  for (const kind of ['service', 'documents'] as const) {
    it(`signs in, refreshes and signs out, and hides the sessions: ${kind}`, () =>
      withTwoApps(design(kind), async ({ asStock, ours }) => {
        await asStock(async (side) => {
          const { _id } = await side.app.service('users').create({ email: 'ada@example.com', password })
          const found = await lives(side, { email: 'ada@example.com' })

          await side.login('ada@example.com')
          const one = await side.client.ask('GET', `/users/${_id}`)
          const patched = await side.client.ask('PATCH', `/users/${_id}`, { body: { name: 'Ada' } })

          return [found, Object.keys(one.body), Object.keys(patched.body)]
        })

        const users = await ours.users.find().toArray()

        assert.equal(users[0]!.sessions.length, 1)
        assert.equal(users[0]!.name, 'Ada')
      }))
  }
})

describe('a service without a collection', () => {
  it('is refused at the start, in a sentence', async () => {
    const side = await oneApp({
      isWithoutSetup: true,
      users: () => ({ id: 'id', create: async () => ({}), get: async () => ({}), find: async () => [] }),
      hooks: {}
    })

    try {
      await assert.rejects(side.app.setup(), (error: Error) => {
        assert.ok(error instanceof ConfigurationError)
        assert.match(
          error.message,
          /^authentication\.service is "users", a service without a collection of MongoDB: give/
        )
        return true
      })
    } finally {
      await side.stop()
    }
  })
})

describe('two entities, each with an authentication service', () => {
  /** Members beside users, with a service each. */
  const design: Design = {
    configure: (app, kit) => {
      const { Model } = app.service('users').options

      app.set('staff-authentication', {
        ...app.get('authentication'),
        entity: 'member',
        service: 'members',
        secret: 'a secret of the staff, of thirty-two bytes'
      })
      app.use('members', new MongoDBService({ Model: Model.db.collection('members') }))
      app.service('members').hooks({ before: { create: [hashPassword('password')] } })
      kit.authentication(app, 'staff-authentication')
      app.use('office', { find: async ({ member }: any) => ({ member: member?.email ?? null }) })
      app.service('office').hooks({
        around: { all: [authenticate({ service: 'staff-authentication', strategies: ['jwt'] })] }
      })
    }
  }

  it('sign in side by side, and not for each other', () =>
    withTwoApps(design, async ({ asStock }) => {
      await asStock(async (side) => {
        const request = { strategy: 'local', email: 'ada@example.com', password }

        await side.add({ email: 'ada@example.com' })
        await side.app.service('members').create({ email: 'ada@example.com', password })

        const user = (await side.client.authenticate(request)).body.accessToken
        const member = (await side.client.ask('POST', '/staff-authentication', { body: request })).body
          .accessToken
        const office = (token: string) =>
          side.client.ask('GET', '/office', { headers: { Authorization: `Bearer ${token}` } })
        const answers = [
          await side.whoami(user),
          await office(member),
          await side.whoami(member),
          await office(user)
        ]

        return answers.map(({ status }) => status)
      })
    }))

  it('share a socket, on which the last sign-in holds, as in Feathers', () =>
    withTwoApps(design, async ({ asStock, ours }) => {
      const tokens = await asStock(async (side) => {
        const request = { strategy: 'local', email: 'ada@example.com', password }

        await side.add({ email: 'ada@example.com' })
        await side.app.service('members').create({ email: 'ada@example.com', password })

        const socket = await side.socket()
        const told = async (service: string) =>
          socket.call('find', service).then(
            (answer) => answer.member ?? answer.user.email,
            ({ code }) => code
          )

        await socket.call('create', 'authentication', request)
        const before = [await told('whoami'), await told('office')]

        await socket.call('create', 'staff-authentication', request)
        return [before, [await told('whoami'), await told('office')]]
      })

      assert.deepEqual(tokens[1], [401, 'ada@example.com'])

      const sockets = await Promise.all([ours.socket(), ours.socket()])
      const request = { strategy: 'local', email: 'ada@example.com', password }
      const logins = []

      for (const socket of sockets) {
        const user = await socket.call('create', 'authentication', request)
        const member = await socket.call('create', 'staff-authentication', request)

        logins.push([user, member])
      }

      const end = (path: string, { accessToken: token }: any) => ours.client.ask('DELETE', path, { token })

      // Whichever of its sessions ends, the socket is disconnected
      await end('/authentication', logins[0]![0])
      await end('/staff-authentication', logins[1]![1])
      assert.deepEqual(await Promise.all(sockets.map((socket) => socket.disconnected())), [
        'io server disconnect',
        'io server disconnect'
      ])
    }))
})

describe('a race of sign-ins with a new password', () => {
  it('leaves no session of the old one, as the adapter stores it', async () => {
    const side = await oneApp()

    try {
      const { _id, email } = await side.add()

      for (let round = 0; round < 5; round++) {
        const [old, next] = [randomUUID(), randomUUID()]

        await side.app.service('users').patch(_id, { password: old })
        await side.app.service('authentication').sessions.endAll(String(_id), 'password')
        await Promise.all([
          atOnce(4, () => side.client.authenticate({ strategy: 'local', email, password: old })),
          (async () => {
            await side.app.service('users').patch(_id, { password: next })
            await side.app.service('authentication').sessions.endAll(String(_id), 'password')
          })()
        ])
        assert.deepEqual((await side.users.findOne())!.sessions ?? [], [])
      }
    } finally {
      await side.stop()
    }
  })
})
