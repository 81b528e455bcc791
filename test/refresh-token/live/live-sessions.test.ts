import { MongoClient, type Collection, type Document } from 'mongodb'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, describe, it } from 'node:test'
import { LiveSessions } from '../../../src/refresh-token/live/live-sessions.js'
import type { SessionEvents } from '../../../src/refresh-token/sessions/events.js'
import { newSessionId } from '../../../src/refresh-token/sessions/session.js'
import { SessionStore } from '../../../src/refresh-token/sessions/store.js'
import { Users } from '../../../src/refresh-token/sessions/users.js'
import { databaseUrl } from '../../support/app.js'
import { settingsWith } from '../../support/settings.js'
import { until } from '../../support/until.js'

const events = ['ended', 'opened', 'removed', 'created', 'patched'] as const

/** Events that announce the same change, of which one is enough. */
type Heard = (typeof events)[number] | 'stream'

describe('a cached user', () => {
  const settings = settingsWith()
  let client: MongoClient
  let collection: Collection<Document & { _id: string }>
  let store: SessionStore
  let live: LiveSessions
  let now = Date.now()

  before(async () => {
    client = new MongoClient(databaseUrl(`moult-${randomUUID()}`))
    collection = client.db().collection('users')
    await collection.insertOne({ _id: 'somebody else' })

    const options = {
      idField: '_id',
      passwordFields: ['password'],
      sessionsField: 'sessions',
      collection: async () => collection as unknown as Collection,
      toIds: (sub: string) => [sub]
    }
    const users = new Users(options)

    store = new SessionStore({ users, settings, now: () => now })
    live = new LiveSessions({
      store,
      users,
      settings,
      collection: options.collection,
      isByDocumentId: () => true,
      now: () => now,
      warn: assert.fail
    })
    live.start()
    await until('the change stream is open', () => live.changes.isFresh)
  })

  after(async () => {
    await live.stop()
    await client.db().dropDatabase()
    await client.close()
  })

  beforeEach(() => {
    now = Date.now()
  })

  const open = (userId: string) =>
    store.open(userId, { id: newSessionId(now), strategy: 'local', device: {} })

  /** The stream delivers in order: a later change of another user comes after all that happened until now. */
  async function caughtUp(): Promise<void> {
    const followed = new Promise<void>((resolve) =>
      live.changes.on('changed', ({ userId }) => userId === 'somebody else' && resolve())
    )

    await collection.updateOne({ _id: 'somebody else' }, { $inc: { changes: 1 } })
    await followed
  }

  /** A new user with two sessions, in memory. */
  async function newUser() {
    const userId = randomUUID()

    await collection.insertOne({ _id: userId })

    const sessions = [await open(userId), await open(userId)] as const

    live.follow(userId, sessions[0])
    await caughtUp()
    await until('the user stays in memory', async () => {
      await live.findUser(userId)
      await new Promise(setImmediate)
      return live.cache.get(userId) !== undefined
    })

    return { userId, sessions }
  }

  const changes: [string, Heard[], (userId: string, ids: string[]) => Promise<unknown>][] = [
    ['a session opens', ['opened', 'created'], (userId) => open(userId)],
    ['a session is renamed', ['patched'], (userId, [id]) => store.rename(userId, id!, 'Phone')],
    ['a session ends', ['ended', 'removed'], (userId, [id]) => store.end(userId, id!, 'revoked')],
    ['all sessions end', ['ended', 'removed'], (userId) => store.endAll(userId, 'password')],
    [
      'another program changes the user',
      ['stream'],
      (userId) => collection.updateOne({ _id: userId }, { $set: { disabled: true } })
    ]
  ]

  for (const [change, expected, make] of changes) {
    it(`is forgotten before anybody hears that ${change}`, async () => {
      const { userId, sessions } = await newUser()
      const heard = new Map<Heard, boolean>()
      const hear = (event: Heard, of: string) => {
        if (of === userId && !heard.has(event)) {
          heard.set(event, live.cache.get(userId) === undefined)
        }
      }
      const listeners = events.map((event) => {
        const listener = (data: SessionEvents[typeof event][0]) => hear(event, data.userId)

        store.prependListener(event, listener)
        return () => store.off(event, listener)
      })
      const listener = (data: { userId: string }) => hear('stream', data.userId)

      live.changes.on('changed', listener)
      await make(
        userId,
        sessions.map(({ id }) => id)
      )
      await until('the change is heard of', () => expected.every((event) => heard.has(event)))
      live.changes.off('changed', listener)
      listeners.forEach((remove) => remove())

      for (const [event, wasForgotten] of heard) {
        assert.equal(wasForgotten, true, event)
      }
    })
  }

  it('stays cached through a refresh, which changes nothing that is answered from the cache', async () => {
    const { userId, sessions } = await newUser()
    const [{ id: sid, used: prev }] = sessions
    const times = { iat: Math.floor(now / 1000), exp: Math.floor(now / 1000) + 60 }

    await store.use({
      sub: userId,
      sid,
      jti: 'a token',
      prev,
      ...times,
      iss: 'moult',
      aud: 'moult',
      kid: 'k'
    })
    await caughtUp()
    assert.notEqual(live.cache.get(userId), undefined)
  })
})
