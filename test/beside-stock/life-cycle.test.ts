import { feathers } from '@feathersjs/feathers'
import { MongoDBService } from '@feathersjs/mongodb'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { AuthenticationService } from '../../src/refresh-token/index.js'
import { leastSettings } from '../support/settings.js'
import { outcome } from '../support/rest.js'
import { poll } from '../support/socket.js'
import { oneApp, outcomes, withTwoApps } from '../support/two-apps.js'

type App = Awaited<ReturnType<typeof oneApp>>

/** Nothing of the sessions is shown, searched or written, through any method of the users service. */
function protectsSessions(side: () => App) {
  it('shows no session', async () => {
    const { add, login, client, app } = side()
    const { _id, email } = await add()

    await login(email)
    const answers = [
      await client.ask('GET', '/users'),
      await client.ask('GET', `/users/${_id}`),
      await client.ask('PATCH', `/users/${_id}`, { body: { name: 'Ada' } }),
      { body: await app.service('users').get(_id) },
      { body: await app.service('users').find() }
    ]

    for (const { body } of answers) {
      assert.match(JSON.stringify(body), new RegExp(email))
      assert.doesNotMatch(JSON.stringify(body), /sessions|"used"/)
    }
  })

  it('lets no client search or write sessions', async () => {
    const { add, login, client } = side()
    const { _id, email } = await add()
    const { refreshToken } = await login(email)

    assert.deepEqual(
      outcomes([
        await client.ask('GET', '/users?sessions.strategy=local'),
        await client.ask('GET', '/users?$sort[sessions.id]=1'),
        await client.ask('GET', `/users/${_id}?$select[]=sessions`),
        await client.ask('PATCH', `/users/${_id}`, { body: { sessions: [] } }),
        await client.ask('PUT', `/users/${_id}`, { body: { email, sessions: [] } }),
        await client.ask('POST', '/users', { body: { email: 'eve@example.com', sessions: [] } }),
        await client.ask('PATCH', `/users/${_id}`, { body: { $unset: { 'sessions.0.used': 1 } } })
      ]),
      Array(7).fill('400')
    )
    assert.equal(outcome(await client.refresh(refreshToken)), '201')
  })
}

describe('an app that is served without app.setup()', () => {
  let side: App

  before(async () => {
    side = await oneApp({ isWithoutSetup: true })
  })
  after(() => side.stop())

  protectsSessions(() => side)

  it('signs in, refreshes and signs out', async () => {
    const { email } = await side.add()
    const login = await side.login(email)
    const { body } = await side.client.refresh(login.refreshToken)

    assert.equal(outcome(await side.whoami(body.accessToken)), '200')
    assert.equal(
      outcome(await side.client.ask('DELETE', '/authentication', { token: body.accessToken })),
      '200'
    )
    assert.equal(outcome(await side.whoami(body.accessToken)), '401 revoked')
  })
})

describe('an app that was set up', () => {
  let side: App

  before(async () => {
    side = await oneApp()
  })
  after(() => side.stop())

  protectsSessions(() => side)
})

describe('an app that is torn down and set up again', () => {
  it('works like a new one: hooks run once, and the change stream works', async () => {
    const side = await oneApp({ isWithoutSetup: true })

    try {
      const { live } = side.app.service('authentication')
      const fresh = () => poll(() => live.changes.isFresh, 'the change stream')

      await side.app.setup()
      await fresh()

      const hooks = side.app.service('users').__hooks
      const before = hooks.around.all.length + hooks.after.patch.length

      await side.app.setup() // a second time, as `listen` after `setup` does
      await side.app.teardown()
      assert.equal(live.changes.isFresh, false)
      await side.app.setup()
      await fresh()
      assert.equal(hooks.around.all.length + hooks.after.patch.length, before)

      const { email, _id } = await side.add()
      const { accessToken } = await side.login(email)

      await poll(async () => {
        await side.whoami(accessToken)
        return live.cache.get(String(_id)) !== undefined
      }, 'the user in memory')
      await side.users.updateOne({ _id }, { $set: { name: 'changed elsewhere' } })
      await poll(
        async () => (await side.whoami(accessToken)).body.user.name === 'changed elsewhere',
        'the change'
      )
    } finally {
      await side.app.teardown()
      await side.stop()
    }
  })
})

describe('the users service', () => {
  it('may be registered before or after, or again', async () => {
    const cursor = { skip: () => cursor, toArray: async () => [{ _id: 1, sessions: [{ id: 'x' }] }] }
    const collection = { find: () => cursor }
    const users = () => new MongoDBService({ Model: collection as never, paginate: false })
    const authentication = (app: any) => app.use('authentication', new AuthenticationService(app))
    const orders: ((app: any) => unknown)[][] = [
      [(app) => app.use('/users/', users()), authentication],
      [authentication, (app) => app.use('users', users())],
      [
        authentication,
        (app) => app.use('users', users()),
        (app) => app.unuse('users'),
        (app) => app.use('users', users())
      ],
      [
        authentication,
        async (app) => {
          app.use('users', users())
          app.use('users', await app.unuse('users')) // the very same
        }
      ]
    ]

    for (const order of orders) {
      const app: any = feathers()

      app.set('authentication', leastSettings)

      for (const step of order) {
        await step(app)
      }

      assert.deepEqual(await app.service('users').find(), [{ _id: 1 }])
      await assert.rejects(app.service('users').find({ provider: 'rest', query: { sessions: 1 } }), {
        code: 400
      })
      assert.equal(app.service('users').__hooks.around.all.length, 1)
    }
  })

  it('hides sessions from the hooks of the app too', () =>
    withTwoApps(
      {
        hooks: {
          after: {
            all: [
              async ({ app, result }: any) => {
                app.set('seen', [...(app.get('seen') ?? []), ...Object.keys(result)])
              }
            ]
          }
        }
      },
      async ({ onBoth }) => {
        await onBoth(async (side) => {
          const { _id, email } = await side.add({ email: `${randomUUID()}@example.com` })

          await side.login(email)
          await side.app.service('users').get(_id)
          assert.ok(!side.app.get('seen').includes('sessions'))
        })
      }
    ))
})
