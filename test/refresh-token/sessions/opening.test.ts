import * as fc from 'fast-check'
import { MongoClient, type Collection } from 'mongodb'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { EndReason, SessionRecord } from '../../../src/refresh-token/sessions/session.js'
import { SessionStore } from '../../../src/refresh-token/sessions/store.js'
import { Users } from '../../../src/refresh-token/sessions/users.js'
import { databaseUrl } from '../../support/app.js'
import { settingsWith } from '../../support/settings.js'

const now = Date.UTC(2030, 0, 1)
const settings = settingsWith()

interface StoredUser {
  _id: string
  sessions?: SessionRecord[]
}

const deviceIds = ['phone', 'laptop', '$$this.device.id']
const deviceId = fc.option(fc.constantFrom(...deviceIds), { nil: undefined })

// Few different times, so that some are equal; some sessions have expired, one exactly now
const record = fc.record({
  renewable: fc.boolean(),
  deviceId,
  refreshed: fc.integer({ min: 0, max: 5 }),
  expires: fc.integer({ min: -2, max: 9 })
})

type Generated = typeof record extends fc.Arbitrary<infer T> ? T : never

const toSession = ({ renewable, deviceId, refreshed, expires }: Generated): SessionRecord => ({
  id: randomUUID(),
  strategy: 'local',
  device: deviceId === undefined ? {} : { id: deviceId },
  renewable,
  used: randomUUID(),
  keys: [],
  createdAt: new Date(now - 60_000),
  refreshedAt: new Date(now - refreshed),
  expiresAt: new Date(now + expires)
})

const login = fc.record({
  deviceId,
  short: fc.boolean(),
  reuse: fc.constantFrom('device' as const, 'never' as const),
  maxSessions: fc.integer({ min: 1, max: 6 })
})

describe('a session that opens', () => {
  let client: MongoClient
  let users: Collection<StoredUser>

  before(() => {
    client = new MongoClient(databaseUrl(`moult-${randomUUID()}`))
    users = client.db().collection('users')
  })

  after(async () => {
    await client.db().dropDatabase()
    await client.close()
  })

  it('ends the sessions that the database removes, each for its reason, from any earlier state', () =>
    fc.assert(
      fc.asyncProperty(
        fc.option(fc.array(record, { maxLength: 9 }), { nil: undefined }),
        login,
        async (records, { deviceId, short, reuse, maxSessions }) => {
          const _id = randomUUID()
          const sessions = records?.map(toSession)
          const store = new SessionStore({
            settings: { ...settings, reuse, maxSessions },
            users: new Users({
              idField: '_id',
              passwordFields: ['password'],
              sessionsField: 'sessions',
              collection: async () => users as unknown as Collection,
              toIds: (sub) => [sub]
            }),
            now: () => now
          })
          const ended = new Map<string, EndReason>()

          store.on('ended', ({ session, reason }) => ended.set(session.id, reason))
          await users.insertOne({ _id, ...(sessions && { sessions }) })

          const opened = await store.open(_id, {
            id: randomUUID(),
            strategy: 'local',
            device: deviceId === undefined ? {} : { id: deviceId },
            ...(short && { expiresAt: new Date(now + 900_000) })
          })
          const stored = (await users.findOne({ _id }))!.sessions!
          const kept = stored.filter(({ id }) => id !== opened.id)

          // said to have ended is what is gone, and nothing else
          assert.equal(stored.length, kept.length + 1)
          assert.ok(stored.length <= maxSessions)
          assert.deepEqual(
            [...kept.map(({ id }) => id), ...ended.keys()].sort(),
            (sessions ?? []).map(({ id }) => id).sort()
          )

          const takesPlace = reuse === 'device' && !short && deviceId !== undefined
          const evicted: SessionRecord[] = []

          for (const session of sessions ?? []) {
            const reason = ended.get(session.id)
            const due =
              session.expiresAt.getTime() <= now
                ? 'expired'
                : takesPlace && session.device.id === deviceId
                  ? 'replaced'
                  : undefined

            // nothing is evicted that had to go anyway, and nothing stays that had to
            assert.equal(reason === 'evicted' ? undefined : reason, due)

            if (reason === 'evicted') {
              evicted.push(session)
            }
          }

          // evicted are as few as make room, none of them used later than one that stays
          assert.ok(evicted.length === 0 || stored.length === maxSessions)

          for (const { refreshedAt } of evicted) {
            assert.ok(kept.every((session) => session.refreshedAt >= refreshedAt))
          }
        }
      ),
      { numRuns: 200 }
    ))
})
