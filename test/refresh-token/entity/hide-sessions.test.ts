import { feathers } from '@feathersjs/feathers'
import { MongoDBService } from '@feathersjs/mongodb'
import { getDispatchValue, setDispatch } from '@feathersjs/schema'
import { MongoClient, type Collection } from 'mongodb'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import {
  AuthenticationService,
  RefreshTokenStrategy,
  SessionJwtStrategy
} from '../../../src/refresh-token/index.js'
import { databaseUrl } from '../../support/app.js'
import { leastSettings } from '../../support/settings.js'

/** An entity service without a schema, and with a method of its own. */
class People extends MongoDBService {
  async report({ raw }: { raw: boolean }): Promise<unknown> {
    const users: Collection = await this.getModel()

    return raw ? users.find().toArray() : { sessions: [1, 2, 3], none: { sessions: [] } }
  }

  /** Users inside of other objects, one of which holds itself. */
  async tree(): Promise<unknown> {
    const users: Collection = await this.getModel()
    const tree: any = { user: await users.findOne(), pages: [{ items: await users.find().toArray() }] }

    setDispatch(tree, { seen: await users.findOne() })
    return Object.assign(tree, { tree })
  }
}

describe('sessions in the documents of a service without a schema', () => {
  const mongo = new MongoClient(databaseUrl(`moult-${randomUUID()}`))
  const app = feathers()
  const rest = { provider: 'rest' }
  let id: string

  before(async () => {
    app.set('authentication', {
      ...leastSettings,
      authStrategies: ['jwt', 'refresh-token'],
      'refresh-token': { ...(leastSettings['refresh-token'] as object), strategies: [] }
    })
    const service = new AuthenticationService(app)
    service.register('jwt', new SessionJwtStrategy())
    service.register('refresh-token', new RefreshTokenStrategy())
    app.use('authentication', service)
    app.use(
      'users',
      new People({
        Model: mongo.db().collection('users'),
        multi: true,
        paginate: { default: 10, max: 50 },
        operators: ['$rename', '$eq', '$expr'],
        filters: { $expr: (value: unknown) => value }
      }),
      { methods: ['find', 'get', 'create', 'update', 'patch', 'remove', 'report', 'tree'] }
    )
    app.service('users').hooks({
      around: {
        get: [
          async (context: any, next: any) => {
            await next()
            context.params.views?.push(context.dispatch)
          }
        ]
      },
      after: {
        get: [
          async (context: any) => {
            if (context.params.views) {
              setDispatch(context.result, { ...context.result, seen: true })
              context.dispatch = { ...context.result, seen: true }
            }
          }
        ]
      }
    })
    await app.setup()

    const user = await app.service('users').create({ name: 'Ada' })

    id = String(user._id)
    await service.sessions.open(id, { id: randomUUID(), strategy: 'name', device: { name: 'Laptop' } })
  })
  after(async () => {
    await app.teardown()
    await mongo.db().dropDatabase()
    await mongo.close()
  })

  it('are in no answer, inside or outside', async () => {
    const users: any = app.service('users')

    for (const params of [{}, rest]) {
      const answers = [
        await users.find(params),
        await users.get(id, params),
        await users.patch(id, { name: 'Ada Lovelace' }, params),
        await users.patch(null, { name: 'Ada' }, params),
        await users.report({ raw: true }, params)
      ]

      for (const answer of answers) {
        assert.match(JSON.stringify(answer), /Ada/)
        assert.doesNotMatch(JSON.stringify(answer), /sessions|Laptop/)
      }
    }
  })

  it('are nowhere inside of an answer', async () => {
    const users: any = app.service('users')

    for (const params of [{}, rest]) {
      const { tree: _itself, ...tree } = await users.tree({}, params)
      const shown = JSON.stringify([tree, getDispatchValue(_itself)])

      assert.match(shown, /user.*Ada.*items.*Ada.*seen.*Ada/)
      assert.doesNotMatch(shown, /sessions|Laptop/)
    }
  })

  it('are in no view of an answer that a hook made', async () => {
    const views: unknown[] = []
    const user = await app.service('users').get(id, { ...rest, views } as object)

    assert.equal(views.length, 1)
    assert.match(JSON.stringify([views, getDispatchValue(user)]), /seen.*seen/)
    assert.doesNotMatch(JSON.stringify([views, getDispatchValue(user)]), /sessions|Laptop/)
  })

  it('are not other fields of that name in a method of the app', async () => {
    const users: any = app.service('users')

    assert.deepEqual(await users.report({ raw: false }), {
      sessions: [1, 2, 3],
      none: { sessions: [] }
    })
  })

  it('can not be used by clients, in queries or data', async () => {
    const users: any = app.service('users')
    let deep: object = { name: 'Ada' }

    for (let depth = 0; depth < 200; depth++) {
      deep = { $or: [deep] }
    }

    const queries = [
      { sessions: [] },
      { 'sessions.id': 'x' },
      { $and: [{ name: 'Ada' }, { $or: [{ 'sessions.0.id': 'x' }] }] },
      { $select: ['name', 'sessions'] },
      { $select: 'sessions' },
      { $sort: { sessions: 1 } },
      { $expr: { $in: ['local', '$sessions.strategy'] } },
      { $expr: { $eq: [{ $size: '$sessions' }, 1] } },
      { $expr: { $gt: [{ $size: { $filter: { input: '$sessions', cond: true } } }, 0] } },
      { $expr: { $let: { vars: { all: '$$ROOT' }, in: '$$all.sessions.strategy' } } },
      { $expr: { $eq: ['$$CURRENT.sessions.strategy', 'local'] } },
      { $expr: { $eq: [{ $getField: { $concat: ['sess', 'ions'] } }, 1] } },
      { $jsonSchema: { required: ['sessions'] } },
      { $where: 'this["sess" + "ions"].length > 0' },
      deep
    ]
    const data = [
      { sessions: [] },
      { $set: { 'sessions.0.id': 'x' } },
      { $rename: { name: 'sessions' } },
      [{ sessions: 1 }]
    ]
    // The entry itself: the field, or the operator that it is behind
    const refused = { code: 400, message: /^Invalid data: '(sessions[\w.]*|\$\w+)' is not a known field$/ }

    for (const query of queries) {
      await assert.rejects(users.find({ query, ...rest }), refused)
    }
    for (const change of data) {
      await assert.rejects(users.patch(id, change, rest), refused)
      await assert.rejects(users.create(change, rest), refused)
    }

    assert.equal((await users.find({ query: { name: 'sessions' }, ...rest })).total, 0)
    assert.equal((await users.find({ query: { $or: [{ name: 'sessions' }] }, ...rest })).total, 0)
    assert.equal((await users.find({ query: { $expr: { $eq: ['$name', 'Ada'] } }, ...rest })).total, 1)
    assert.equal((await users.find({ query: { $expr: { $eq: ['$$ROOT.name', 'Ada'] } }, ...rest })).total, 1)
    assert.equal((await users.patch(id, { note: { sessions: 3 } }, rest)).note.sessions, 3)
    assert.equal((await users.patch(id, { $set: { note: { sessions: 4 } } }, rest)).note.sessions, 4)
  })
})

describe('hooks of an app that registers the users first', () => {
  it('see no sessions, in whatever order they were added', async () => {
    const mongo = new MongoClient(databaseUrl(`moult-${randomUUID()}`))
    const app = feathers()
    const seen: string[] = []
    const look = async ({ result }: any) => void seen.push(JSON.stringify(result))
    const looking = {
      around: { all: [async (context: any, next: any) => (await next(), look(context))] },
      after: { all: [look], find: [look], get: [look], patch: [look] }
    }

    try {
      app.use('users', new People({ Model: mongo.db().collection('users') }), {
        methods: ['find', 'get', 'report']
      })
      app.service('users').hooks(looking)
      app.set('authentication', {
        ...leastSettings,
        authStrategies: ['jwt', 'refresh-token'],
        'refresh-token': { ...(leastSettings['refresh-token'] as object), strategies: [] }
      })
      const service = new AuthenticationService(app)

      app.use('authentication', service)
      app.service('users').hooks(looking)

      const users: any = app.service('users')
      const { _id } = await users.create({ name: 'Ada' })

      await service.sessions.open(String(_id), {
        id: randomUUID(),
        strategy: 'name',
        device: { name: 'Laptop' }
      })
      seen.length = 0
      await users.find()
      await users.get(_id)
      await users.patch(_id, { name: 'Ada' })
      await users.report({ raw: true })

      assert.equal(seen.length, 3 * 6 + 4)
      seen.forEach((result) => assert.doesNotMatch(result, /sessions|Laptop/))
    } finally {
      await mongo.db().dropDatabase()
      await mongo.close()
    }
  })
})
