import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { assertRefused, isSignedIn, socketsOf, type SignedInSocket } from '../support/live.js'
import { newPerson, stored, type Person } from '../support/people.js'

/** As it comes out of the parser of a server: with `__proto__` as a key of its own. */
const parsed = (json: string): unknown => JSON.parse(json)

const oddIds = [
  5,
  0,
  -1,
  true,
  {},
  [],
  ['a'],
  { $ne: null },
  { _bsontype: 'ObjectId' },
  Buffer.from('abcdefghijkl')
]
const unknownIds = [
  '',
  'null',
  'undefined',
  '123',
  '__proto__',
  'constructor',
  'a'.repeat(5000),
  '6'.repeat(24)
]
const oddData = [null, 5, true, 'x', [], [{}], parsed('{"__proto__":{"roles":["admin"]}}'), Buffer.from('x')]
const oddQueries = [
  'x',
  ['x'],
  { unknown: 1 },
  { password: 'x' },
  { sessions: 'x' },
  { $where: 'true' },
  { $select: ['password'] },
  { $sort: { password: 1 } },
  { $or: [{ password: 'x' }] },
  { $limit: -1 },
  { $skip: 1e300 },
  { _id: { $regex: 'x' } },
  parsed('{"__proto__":{"$select":["password"]}}'),
  parsed('{"$or":[{"__proto__":{"password":"x"}}]}'),
  parsed('{"constructor":{"prototype":{}}}')
]

describe('bad arguments of calls over a socket', () => {
  let t: TestApp
  let ada: Person
  let socket: SignedInSocket
  const sockets = socketsOf(() => t.address)
  const refused = (codes: number[], method: string, ...args: unknown[]) =>
    assertRefused(socket, codes, method, ...args)

  before(async () => {
    t = await startApp()
    // Where Feathers leaves stacks in: it reads NODE_ENV at each error
    delete process.env.NODE_ENV
    ada = await newPerson(t)
    socket = await sockets.signedIn(ada)
  })
  after(async () => {
    process.env.NODE_ENV = 'test'
    sockets.closeAll()
    await t.stop()
  })

  it('refuses ids that are not strings', async () => {
    for (const id of oddIds) {
      for (const service of ['users', 'sessions', 'content']) {
        await refused([400], 'get', service, id)
      }
      for (const service of ['users', 'sessions']) {
        await refused([400], 'patch', service, id, { name: 'x' })
        await refused([400], 'remove', service, id)
      }
      await refused([400], 'remove', 'authentication', id)
    }
  })

  it('finds nothing for unknown ids', async () => {
    for (const id of unknownIds) {
      for (const service of ['users', 'sessions', 'content']) {
        await refused([404], 'get', service, id)
      }
      await refused([404], 'patch', 'users', id, { name: 'x' })
      await refused([404], 'patch', 'sessions', id, { device: { name: 'x' } })
      await refused([404], 'remove', 'users', id)
      await refused([404], 'remove', 'sessions', id)
      await refused([401], 'remove', 'authentication', id)
    }
  })

  // Socket.IO turns undefined into null
  for (const id of [null, undefined]) {
    it(`takes the id ${id} for nobody's`, async () => {
      for (const service of ['users', 'sessions', 'content']) {
        await refused([400, 404], 'get', service, id)
      }
      await refused([400, 405], 'patch', 'users', id, { name: 'x' })
      await refused([400, 405], 'patch', 'sessions', id, { device: { name: 'x' } })
      await refused([400, 405], 'remove', 'users', id)
    })
  }

  it('refuses calls that lack arguments', async () => {
    await refused([400, 404], 'get', 'users')
    await refused([400], 'create', 'users')
    await refused([400, 405], 'patch', 'users')
    await refused([400], 'patch', 'users', ada.id)
    await refused([400, 404, 405], 'remove', 'users')
    await refused([400, 404], 'remove', 'sessions')
    await refused([400, 401], 'remove', 'authentication')
  })

  it('refuses data that is not an object, or has unknown keys', async () => {
    for (const data of oddData) {
      await refused([400], 'create', 'users', data)
      await refused([400], 'patch', 'users', ada.id, data)
      await refused([400], 'patch', 'sessions', socket.login.session.id, data)
      await refused([400, 401], 'create', 'authentication', data)
    }
  })

  it('refuses queries that are not objects, or have unknown keys or operators', async () => {
    for (const query of oddQueries) {
      await refused([400], 'find', 'users', query)
      await refused([400], 'get', 'users', ada.id, query)
      await refused([400], 'find', 'sessions', query)
      await refused([400], 'remove', 'sessions', null, query)
      await refused([400], 'find', 'content', query)
      await refused([400], 'create', 'users', { email: 'a@example.com', password: 'long enough' }, query)
    }
  })

  it('refuses operators where strings belong', async () => {
    const strategy = { local: 'local', refresh: 'refresh-token', jwt: 'jwt' }

    for (const value of [{ $ne: null }, { $gt: '' }, ['x'], 5, true, null]) {
      await refused([400], 'create', 'authentication', {
        strategy: strategy.local,
        email: value,
        password: 'x'
      })
      await refused([400], 'create', 'authentication', {
        strategy: strategy.local,
        email: ada.email,
        password: value
      })
      await refused([400], 'create', 'authentication', { strategy: strategy.refresh, refreshToken: value })
      await refused([400], 'create', 'authentication', { strategy: strategy.jwt, accessToken: value })
      await refused([400, 401], 'create', 'authentication', { strategy: value })
      await refused([400], 'patch', 'sessions', socket.login.session.id, { device: { name: value } })
      await refused([400, 403], 'find', 'sessions', { userId: value === null ? {} : value })
    }
  })

  it('refuses too many arguments', async () => {
    await refused([400], 'find', 'users', {}, {})
    await refused([400], 'create', 'users', {}, {}, {})
    await refused([400], 'remove', 'sessions', null, {}, null)
    await refused([400], 'create', 'authentication', {}, { strategy: 'local' }, 1)
  })

  it('takes no params from the query', async () => {
    const bob = await newPerson(t)
    const polluting = {
      provider: '',
      user: { _id: bob.id, roles: ['admin'] },
      authenticated: true,
      query: {}
    }

    await refused([400], 'get', 'users', bob.id, polluting)
    await refused([404], 'get', 'users', bob.id, parsed(`{"__proto__":{"_id":"${bob.id}"}}`))
    await refused([403], 'find', 'sessions', parsed(`{"__proto__":{"userId":"${bob.id}"}}`))
    await refused([403], 'remove', 'sessions', null, { userId: bob.id })
  })

  it('has not been changed by any of this', async () => {
    const { roles, disabled, name, sessions } = await stored(t, ada.email)

    assert.deepEqual({ roles, disabled, name }, { roles: ['user'], disabled: false, name: undefined })
    assert.equal(sessions.length, 2)
    assert.equal(await isSignedIn(socket), true)
    assert.deepEqual(
      socket.events.filter(([name]) => name !== 'users patched'),
      []
    )
    assert.equal(({} as { roles?: unknown }).roles, undefined)
  })
})
