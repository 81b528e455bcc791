import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { MongoClient, type ChangeStream, type Collection, type Document } from 'mongodb'
import { startMongod } from '../../src/dev/mongod.js'
import type { SessionRecord } from '../../src/refresh-token/sessions/session.js'
import { insertion } from '../../src/refresh-token/sessions/opening.js'
import { inField, type SessionUpdate } from '../../src/refresh-token/sessions/records.js'
import { firstUse, repeat } from '../../src/refresh-token/sessions/rotation.js'
import type { RefreshToken } from '../../src/refresh-token/tokens/refresh-token.js'
import { settingsWith } from '../support/settings.js'
import { until } from '../support/until.js'
import { newSession, newUser, type User } from './users.js'

// What change streams on `users` cost the database: CPU-seconds of mongod for 1,000 refreshes with so many streams open,
// one for each instance, and with filters that drop what a refresh changes. On a mongod of its own, whose CPU time is
// nobody else's. Each filter is checked before it is measured: on the updates that the service sends, and on worse ones.

const streamCounts = [0, 1, 4, 16, 64]
const rounds = 3 // of which the median counts
const refreshes = 1000 // in each round
const concurrency = 16
const settings = settingsWith()

const changed = '$updateDescription.updatedFields'
const removed = '$updateDescription.removedFields'
const truncated = '$updateDescription.truncatedArrays'
const changedNames = { $map: { input: { $objectToArray: changed }, in: '$$this.k' } }

const quiet = '^sessions\\.\\d+\\.(used|keys|refreshedAt|expiresAt|token)(\\.|$)'
const isQuiet = { $regexMatch: { input: '$$this', regex: quiet } }
const loudOf = (names: unknown) => ({ $filter: { input: names, cond: { $not: [isQuiet] } } })

// Of a user with more sessions, and of a part of `keys`, a refresh is told
const quietNames = Array.from({ length: 20 }, (_, index) =>
  ['used', 'keys', 'refreshedAt', 'expiresAt', 'token'].map((field) => `sessions.${index}.${field}`)
).flat()

const unlessUpdate = (...conditions: Document[]) => ({
  $match: { $expr: { $or: [{ $ne: ['$operationType', 'update'] }, ...conditions] } }
})

const filters = {
  'a regular expression': unlessUpdate(
    { $ne: [truncated, []] },
    { $ne: [loudOf(changedNames), []] },
    { $ne: [loudOf(removed), []] }
  ),
  'the same, as $allElementsTrue': unlessUpdate(
    { $ne: [truncated, []] },
    {
      $not: [
        {
          $allElementsTrue: [{ $map: { input: { $concatArrays: [changedNames, removed] }, in: isQuiet } }]
        }
      ]
    }
  ),
  'the same, its first part outside $expr': {
    $match: {
      $or: [
        { operationType: { $ne: 'update' } },
        { 'updateDescription.truncatedArrays.0': { $exists: true } },
        { $expr: { $or: [{ $ne: [loudOf(changedNames), []] }, { $ne: [loudOf(removed), []] }] } }
      ]
    }
  },
  'a list of names': unlessUpdate(
    { $ne: [truncated, []] },
    { $not: [{ $setIsSubset: [{ $concatArrays: [changedNames, removed] }, quietNames] }] }
  )
}

const baselines = {
  'no filter: each event is sent': { $match: {} },
  // Which the server sees in the oplog, before it makes an event of the entry
  'nothing passes': { $match: { operationType: 'none' } }
}

const projection = { $project: { operationType: 1, documentKey: 1, changed: changedNames, removed } }

const data = await mkdtemp(join(tmpdir(), 'moult-streams-'))
const mongod = await startMongod({ folder: data, log: () => {} })
const client = new MongoClient(mongod.url, { maxPoolSize: 100 })
const db = client.db()
const users: Collection<User> = db.collection('users')

try {
  await db.createCollection('users')
  for (const [name, filter] of Object.entries(filters)) {
    await check(name, filter)
  }
  await measureStreams({ ...filters, ...baselines })
} finally {
  await client.close()
  await mongod.stop()
  await rm(data, { recursive: true })
}

async function measureStreams(filters: Record<string, Document>): Promise<void> {
  const owners = Array.from({ length: 500 }, () => newUser())
  const figures = new Map<string, number[]>()

  await users.insertMany(owners)

  for (let round = 0; round < rounds; round++) {
    for (const [name, filter] of Object.entries(filters)) {
      for (const count of streamCounts) {
        const key = `${name} ${count}`

        figures.set(key, [...(figures.get(key) ?? []), await costOfRefreshes(owners, filter, count)])
      }
    }
  }

  const row = (name: string) =>
    streamCounts.map((count) => [`${count} streams`, median(figures.get(`${name} ${count}`)!).toFixed(2)])

  console.log(`CPU-seconds of mongod for 1,000 refreshes, ${concurrency} at a time`)
  console.table(Object.fromEntries(Object.keys(filters).map((name) => [name, Object.fromEntries(row(name))])))
}

/** s of CPU that mongod used for 1,000 refreshes. */
async function costOfRefreshes(owners: User[], filter: Document, count: number): Promise<number> {
  const streams = await Promise.all(Array.from({ length: count }, () => openStream(filter, () => {})))

  await refreshAll(owners, refreshes / 5)

  const before = await cpu()

  await refreshAll(owners, refreshes)
  await after(300) // for the streams to get through with them

  const used = (await cpu()) - before

  await Promise.all(streams.map((stream) => stream.close()))
  return (used * 1000) / refreshes
}

async function cpu(): Promise<number> {
  const { extra_info: info } = (await db.admin().serverStatus()) as { extra_info: Record<string, number> }

  return (info.user_time_us! + info.system_time_us!) / 1e6
}

async function openStream(filter: Document, hear: (id: string) => void): Promise<ChangeStream> {
  const stream = users.watch([filter, projection], { maxAwaitTimeMS: 1000 })
  const isOpen = new Promise((done) => stream.once('resumeTokenChanged', done))

  stream.on('change', (event: Document) => hear(event.documentKey._id))
  stream.on('error', () => {}) // of its end
  await isOpen

  return stream
}

async function refreshAll(owners: User[], times: number): Promise<void> {
  let next = 0

  const work = async () => {
    while (next < times) {
      await refresh(owners[next++ % owners.length]!)
    }
  }

  await Promise.all(Array.from({ length: concurrency }, work))
}

async function refresh({ _id, sessions: [session] }: User): Promise<void> {
  const token = successor(session!)
  const { match, update } = firstUse(token, undefined, settings, Date.now())

  assert.ok(
    await users.findOneAndUpdate({ _id, sessions: { $elemMatch: match } }, inField(update, 'sessions'), {
      writeConcern: { w: 'majority', journal: true },
      projection: { _id: 1 }
    })
  )
  session!.used = token.jti
}

function successor({ id, used }: SessionRecord): RefreshToken {
  return { sid: id, jti: randomUUID(), prev: used } as RefreshToken
}

/** Makes each kind of change, and sees that the filter drops refreshes and tells of all else. */
async function check(name: string, filter: Document): Promise<void> {
  const heard = new Set<string>()
  const stream = await openStream(filter, (id) => heard.add(id))
  const now = Date.now()

  const make = async (
    kind: string,
    change: (first: SessionRecord, second: SessionRecord) => Document | Document[]
  ) => {
    const user = newUser(2, `${kind} ${randomUUID()}`)
    const made = change(user.sessions[0]!, user.sessions[1]!)
    const isOfSession = 'match' in made
    const { match, update } = (isOfSession ? made : { match: undefined, update: made }) as SessionUpdate

    await users.insertOne(user)
    await until('its insertion is heard', () => heard.delete(user._id))
    const { modifiedCount } = await users.updateOne(
      { _id: user._id, ...(match && { sessions: { $elemMatch: match } }) },
      isOfSession ? inField(update, 'sessions') : update
    )

    assert.equal(modifiedCount, 1, kind)
    return user._id
  }

  const dropped = [
    await make('a refresh', (session) => firstUse(successor(session), undefined, settings, now)),
    await make('of the second session', (_, session) => firstUse(successor(session), 'k', settings, now)),
    await make('a kept token', () => ({ $set: { 'sessions.1.token': { jti: 'a', iat: 1, kid: 'b' } } })),
    await make('a field gone', () => ({ $unset: { 'sessions.0.keys': '' } }))
  ]
  const told = [
    await make('a role', () => ({ $set: { roles: ['admin'] } })),
    await make('a field gone', () => ({ $unset: { roles: '' } })),
    await make('a refresh and a role', () => ({ $set: { 'sessions.0.used': 'x', roles: [] } })),
    await make('a refresh and a field gone', () => ({
      $set: { 'sessions.0.used': 'x' },
      $unset: { roles: '' }
    })),
    await make('an opened session', () => insertion(newSession(), { maxSessions: 20, now }, 'sessions')),
    await make('a replaced one', ({ device }) =>
      insertion(newSession(), { deviceId: device.id, maxSessions: 20, now }, 'sessions')
    ),
    await make('an evicted one', () => insertion(newSession(), { maxSessions: 2, now }, 'sessions')),
    await make('the end of the first', ({ id }) => ({ $pull: { sessions: { id } } })),
    await make('the end of the last', (_, { id }) => ({ $pull: { sessions: { id } } })),
    await make('the end of all', () => ({ $pull: { sessions: { id: { $ne: null } } } })),
    await make('a cut at the end', () => [{ $set: { sessions: { $slice: ['$sessions', 1] } } }]),
    await make('a cut at the start', () => [{ $set: { sessions: { $slice: ['$sessions', -1] } } }]),
    await make('another name', () => ({ $set: { 'sessions.0.device.name': 'x' } })),
    await make('a field of a like name', () => ({ $set: { 'sessions.0.usedBy': 'x' } }))
  ]

  // Heard or not, it is all through once this is
  await make('a repeat', ({ id, used }) => repeat({ sid: id, jti: used } as RefreshToken, 'another key', now))
  const last = newUser()

  await users.insertOne(last)
  await users.deleteOne({ _id: last._id })
  await until('an insertion is heard', () => heard.has(last._id))
  assert.deepEqual(
    dropped.filter((id) => heard.has(id)),
    [],
    `${name} tells of`
  )
  assert.deepEqual(
    told.filter((id) => !heard.has(id)),
    [],
    `${name} drops`
  )
  await stream.close()
}

function median(figures: number[]): number {
  return figures.sort((a, b) => a - b)[Math.floor(figures.length / 2)]!
}
