import { MongoClient, type Collection, type Document } from 'mongodb'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { newSessionId } from '../../../src/refresh-token/sessions/session.js'
import { SessionStore } from '../../../src/refresh-token/sessions/store.js'
import { Users } from '../../../src/refresh-token/sessions/users.js'
import { databaseUrl, type Settings } from '../../support/app.js'
import { settingsWith } from '../../support/settings.js'

const now = Date.now()
const userId = 'a user'
const device = { id: 'phone' }

let client: MongoClient
let users: Collection<Document & { _id: string }>

before(() => {
  client = new MongoClient(databaseUrl(`moult-${randomUUID()}`))
  users = client.db().collection('users')
})

after(async () => {
  await client.db().dropDatabase()
  await client.close()
})

/** A store with a collection and a clock alone; somebody else writes before each of its calls. */
function storeBehind(interfere: (call: number) => Promise<unknown>, refreshToken: Settings = {}) {
  let calls = 0
  const store = new SessionStore({
    settings: settingsWith({ 'refresh-token': refreshToken }),
    users: new Users({
      idField: '_id',
      passwordFields: ['password'],
      sessionsField: 'sessions',
      collection: async () => {
        await interfere(calls++)
        return users as unknown as Collection
      },
      toIds: (sub) => [sub]
    }),
    now: () => now
  })

  return { store, calls: () => calls }
}

const setSessions = (sessions: Document[]) =>
  users.updateOne({ _id: userId }, { $set: { sessions } }, { upsert: true, writeConcern: { w: 'majority' } })

const sessionWith = (changes: Document = {}) => ({
  id: newSessionId(now),
  strategy: 'local',
  device,
  renewable: true,
  used: 'a token used before',
  keys: [],
  createdAt: new Date(now),
  refreshedAt: new Date(now),
  expiresAt: new Date(now + 60_000),
  ...changes
})

/** The token that comes next, parsed. */
const tokenOf = ({ id, used }: Document) => ({
  sub: userId,
  sid: id,
  jti: 'a token',
  prev: used,
  iat: 0,
  exp: now,
  iss: 'moult',
  aud: 'moult',
  kid: 'a key'
})

describe('a store that loses every attempt to another request', () => {
  it('gives a refresh up with a 503, and ends nothing', async () => {
    const session = sessionWith()
    // The use finds the session moved on, and the reading after it finds the session where it was
    const { store, calls } = storeBehind((call) =>
      setSessions([{ ...session, used: call % 2 ? session.used : 'another token' }])
    )
    await assert.rejects(store.use(tokenOf(session)), { code: 503 })
    assert.equal(calls(), 20)
    assert.equal((await users.findOne({ _id: userId }))?.sessions.length, 1)
  })

  it('gives a login up with a 503, and opens nothing', async () => {
    const rotation = { rotation: false }
    const { kid } = settingsWith({ 'refresh-token': rotation }).refreshTokens.keyring.newest
    const session = sessionWith({ token: { jti: 'a token', iat: 0, kid } })
    // There is no session to reuse when it looks for one, and there is one when it opens another
    const { store, calls } = storeBehind((call) => setSessions(call % 3 === 1 ? [session] : []), rotation)

    await assert.rejects(store.open(userId, { id: newSessionId(now), strategy: 'local', device }), {
      code: 503
    })
    assert.equal(calls(), 30)
    assert.deepEqual((await users.findOne({ _id: userId }))?.sessions, [])
  })

  it('succeeds once an attempt gets through', async () => {
    const session = sessionWith()
    const { store } = storeBehind((call) =>
      setSessions([{ ...session, used: call % 2 || call > 9 ? session.used : 'another token' }])
    )
    assert.equal((await store.use(tokenOf(session))).session.used, 'a token')
  })
})

describe('finding a session', () => {
  const foundIn = async (session: Document) => {
    await setSessions([session])

    return storeBehind(async () => undefined).store.find(userId, session.id)
  }

  it('gives a live one', async () => {
    const session = sessionWith()

    assert.equal((await foundIn(session)).session.id, session.id)
  })

  it('refuses one at the moment at which it expires', async () => {
    await assert.rejects(foundIn(sessionWith({ expiresAt: new Date(now) })), { data: { reason: 'expired' } })
  })
})
