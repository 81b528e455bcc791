import { LocalStrategy } from '@feathersjs/authentication-local'
import type { HookContext } from '@feathersjs/feathers'
import { MongoDBService } from '@feathersjs/mongodb'
import { hashSync } from 'bcryptjs'
import { ObjectId, UUID } from 'mongodb'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { outcome } from '../support/rest.js'
import { oneApp, outcomes, password, withTwoApps, type Design, type Side } from '../support/two-apps.js'
import { UserService } from '../support/uuid-users.js'

const hash = hashSync(password, 4)
const notDeleted: Design = {
  hooks: {
    before: {
      get: [
        async ({ params }: HookContext) => {
          params.query = { ...params.query, deleted: { $ne: true } }
        }
      ]
    }
  }
}
const withOption = (options: object): Design => ({
  users: (Model) => new MongoDBService({ Model, ...options })
})

/** What the user of an app can do: sign in, call, refresh, call on a socket, sign out. */
async function life(side: Side, email: string) {
  const login = await side.login(email)
  const { accessToken: token } = login
  const refreshed = await side.client.refresh(login.refreshToken)
  const socket = await side.socket(token)
  const seen = await socket.call('find', 'whoami')

  return [
    ...outcomes([
      await side.whoami(token),
      refreshed,
      await side.whoami(refreshed.body.accessToken),
      await side.client.ask('DELETE', '/authentication', { token }),
      await side.whoami(token)
    ]),
    seen.user.email
  ]
}

const lived = ['200', '201', '200', '200', '401 revoked', 'ada@example.com']

describe('ids of every type', () => {
  const kinds: [name: string, design: Design, id: object][] = [
    ['numbers of another field', withOption({ id: 'code' }), { code: 9 }],
    ['text in another field', withOption({ id: 'code' }), { code: '9' }],
    ['ObjectIds of another field', withOption({ id: 'code' }), { code: new ObjectId() }],
    ['numbers', withOption({ disableObjectify: true }), { _id: 42 }],
    ['text', {}, { _id: 'ada' }],
    ['text like an ObjectId', withOption({ disableObjectify: true }), { _id: '507f1f77bcf86cd799439011' }],
    ['UUIDs', { users: (Model) => new UserService({ Model }) }, { _id: new UUID() }]
  ]

  for (const [name, design, id] of kinds) {
    for (const [condition, more] of [
      ['', {}],
      [', with a condition on get', notDeleted]
    ] as const) {
      it(`work: ${name}${condition}`, async () => {
        const side = await oneApp({ ...design, ...more })

        try {
          await side.users.insertOne({ ...id, email: 'ada@example.com', password: hash })
          assert.deepEqual(await life(side, 'ada@example.com'), lived)

          const warnings: string[] = []

          await side.app.service('authentication').checkUsers((sentence: string) => warnings.push(sentence))
          assert.deepEqual(warnings, [])
        } finally {
          await side.stop()
        }
      })
    }
  }
})

describe('ids that the adapter does not take', () => {
  it('sign nobody in', async () => {
    const side = await oneApp()

    try {
      const { insertedId } = await side.users.insertOne({
        _id: new UUID(),
        email: 'ada@example.com'
      } as object)
      const opened = side.app.service('authentication').openSession(insertedId)

      await assert.rejects(opened, { data: { reason: 'revoked' } })
    } finally {
      await side.stop()
    }
  })
})

describe('two users whose ids are written alike', () => {
  for (const [name, ids] of [
    ['by another field', [{ code: 9 }, { code: '9' }]],
    ['by _id', [{ _id: 5 }, { _id: '5' }]]
  ] as [string, [object, object]][]) {
    it(`are never taken for each other: ${name}`, async () => {
      const side = await oneApp({
        users: (Model) =>
          new MongoDBService({ Model, disableObjectify: true, ...(name !== 'by _id' && { id: 'code' }) })
      })

      try {
        const service = side.app.service('authentication')
        const [ada, eve] = [
          { ...ids[0], email: 'ada@example.com', password: hash },
          { ...ids[1], email: 'eve@example.com', password: hash }
        ]

        await side.users.insertOne(ada)
        const login = await side.login(ada.email)

        assert.equal((await side.whoami(login.accessToken)).body.user.email, ada.email)
        await side.users.insertOne(eve)

        for (const user of [ada, eve]) {
          const request = { strategy: 'local', email: user.email, password }

          assert.equal((await side.client.authenticate(request)).status, 500)
          await assert.rejects(service.create(request), {
            message: /^Two users have ids that are both written/
          })
          await assert.rejects(service.openSession(user), { code: 404 })
        }

        const { body: refreshed } = await side.client.refresh(login.refreshToken)

        assert.equal(refreshed.user?.email, ada.email)
        assert.equal((await side.users.findOne({ email: eve.email }))!.sessions, undefined)
      } finally {
        await side.stop()
      }
    })
  }
})

describe('a local strategy under another name', () => {
  const design: Design = {
    isBare: true,
    settings: {
      authStrategies: ['jwt', 'local', 'pin'],
      pin: { usernameField: 'email', passwordField: 'pin' }
    },
    refreshToken: { strategies: ['local', 'pin'] },
    strategies: () => ({ pin: new LocalStrategy() })
  }
  const ada = { email: 'ada@example.com', password: hash, pin: hashSync('1234', 4) }

  it('signs in as in Feathers', () =>
    withTwoApps(design, async ({ asStock }) => {
      await asStock(async (side) => {
        await side.users.insertOne({ ...ada })
        const request = { strategy: 'pin', email: ada.email, pin: '1234' }
        const { status, body } = await side.client.authenticate(request)

        return [status, body.user.email, outcome(await side.whoami(body.accessToken))]
      })
    }))

  it('shows its hash to nobody, and keeps none in memory', async () => {
    const side = await oneApp(design)

    try {
      const _id = (await side.users.insertOne({ ...ada })).insertedId
      const service = side.app.service('authentication')
      const pin = await side.client.authenticate({ strategy: 'pin', email: ada.email, pin: '1234' })
      const login = await side.login(ada.email)
      const answers = [
        pin.body,
        login,
        (await side.whoami(login.accessToken)).body,
        (await side.client.refresh(login.refreshToken)).body,
        (await service.live.findUser(String(_id))).user()
      ]

      for (const answer of answers) {
        assert.match(JSON.stringify(answer), /ada@example\.com/)
        assert.doesNotMatch(JSON.stringify(answer), /\$2[aby]\$/)
      }
    } finally {
      await side.stop()
    }
  })

  it('opens no session for what was changed while it was verified', async () => {
    const side = await oneApp({
      ...design,
      hooks: {
        after: {
          get: [
            async ({ app }: HookContext) => {
              await (app as any).get('meanwhile')?.()
            }
          ]
        }
      }
    })

    try {
      await side.users.insertOne({ ...ada })
      side.app.set('meanwhile', () => side.users.updateOne({}, { $set: { pin: 'changed' } }))

      const refused = await side.client.authenticate({ strategy: 'pin', email: ada.email, pin: '1234' })

      assert.equal(outcome(refused), '401')
      assert.equal((await side.users.findOne())!.sessions, undefined)
    } finally {
      await side.stop()
    }
  })
})
