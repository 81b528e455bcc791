import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { MongoClient, type ChangeStream, type Collection, type Db, type Document } from 'mongodb'
import { startMongod } from '../../src/dev/mongod.js'
import { newSessionId, type SessionRecord } from '../../src/refresh-token/session.js'
import { firstUse, insertion, repeat } from '../../src/refresh-token/session-updates.js'
import type { RefreshToken } from '../../src/refresh-token/token.js'
import { settingsWith } from '../support/settings.js'

// What change streams on `users` cost the database: CPU-seconds of mongod for 1,000 refreshes, with so many streams open
// as there are instances, and with filters that drop what a refresh changes. On a mongod of its own, whose CPU time is
// nobody else's; the refreshes are the updates that the service sends. Each filter is checked before it is measured.

const streamCounts = (process.env.COUNTS ?? '0,1,4,16,64').split(',').map(Number)
const users = 500
const rounds = Number(process.env.ROUNDS ?? 3) // of which the median counts
const refreshes = 1000 // in each round
const concurrency = 16
const settings = settingsWith()

const changed = '$updateDescription.updatedFields'
const removed = '$updateDescription.removedFields'
const truncated = '$updateDescription.truncatedArrays'
const quiet = '^sessions\\.\\d+\\.(used|keys|refreshedAt|expiresAt|token)(\\.|$)'
const names = { $map: { input: { $objectToArray: changed }, in: '$$this.k' } }
const isQuiet = (name: string) => ({ $regexMatch: { input: name, regex: quiet } })
const isLoud = (name: string) => ({ $not: [isQuiet(name)] })

/** All names that a refresh changes: of more sessions than this, and of parts of `keys`, it is simply not dropped. */
const quietNames = Array.from({ length: 20 }, (_, index) =>
  ['used', 'keys', 'refreshedAt', 'expiresAt', 'token'].map((field) => `sessions.${index}.${field}`)
).flat()

const filters: Record<string, Document[]> = {
  'no filter': [],
  'expr: any loud ($map)': [
    {
      $match: {
        $or: [
          { operationType: { $ne: 'update' } },
          { 'updateDescription.truncatedArrays.0': { $exists: true } },
          {
            $expr: {
              $or: [
                { $anyElementTrue: { $map: { input: { $objectToArray: changed }, in: isLoud('$$this.k') } } },
                { $anyElementTrue: { $map: { input: removed, in: isLoud('$$this') } } }
              ]
            }
          }
        ]
      }
    }
  ],
  'expr: all in one': [
    {
      $match: {
        $expr: {
          $or: [
            { $ne: ['$operationType', 'update'] },
            { $ne: [truncated, []] },
            {
              $gt: [{ $size: { $filter: { input: { $objectToArray: changed }, cond: isLoud('$$this.k') } } }, 0]
            },
            { $gt: [{ $size: { $filter: { input: removed, cond: isLoud('$$this') } } }, 0] }
          ]
        }
      }
    }
  ],
  'subset of names': [
    {
      $match: {
        $or: [
          { operationType: { $ne: 'update' } },
          { 'updateDescription.truncatedArrays.0': { $exists: true } },
          { $expr: { $not: [{ $setIsSubset: [names, quietNames] }] } },
          { $expr: { $not: [{ $setIsSubset: [removed, quietNames] }] } }
        ]
      }
    }
  ],
  'subset, in one': [
    {
      $match: {
        $expr: {
          $or: [
            { $ne: ['$operationType', 'update'] },
            { $ne: [truncated, []] },
            { $not: [{ $setIsSubset: [{ $concatArrays: [names, removed] }, quietNames] }] }
          ]
        }
      }
    }
  ],
  'regex, $or in $match, one filter': [
    {
      $match: {
        $or: [
          { operationType: { $ne: 'update' } },
          {
            $expr: {
              $or: [
                { $ne: [truncated, []] },
                { $not: [{ $allElementsTrue: [{ $map: { input: { $concatArrays: [names, removed] }, in: isQuiet('$$this') } }] }] }
              ]
            }
          }
        ]
      }
    }
  ],
  // Drops all: what streams cost that never hear anything
  'nothing passes (floor)': [{ $match: { operationType: 'none' } }]
}

const shape = {
  $project: {
    operationType: 1,
    documentKey: 1,
    changed: names,
    removed
  }
}
const pipelineOf = (filter: Document[]) => [...filter, shape]

async function bench(db: Db): Promise<void> {
  const owners = await makeUsers(db)
  const table: Record<string, Record<string, string>> = {}
  const cells: Record<string, number[]> = {}

  for (let round = 0; round < rounds; round++) {
    for (const [name, filter] of Object.entries(filters)) {
      for (const count of streamCounts) {
        ;(cells[`${name}|${count}`] ??= []).push(await measure(db, owners, pipelineOf(filter), count))
      }
    }
  }

  for (const name of Object.keys(filters)) {
    table[name] = Object.fromEntries(
      streamCounts.map((count) => [`${count} streams`, median(cells[`${name}|${count}`]!).toFixed(3)])
    )
  }
  console.log('CPU-seconds of mongod for 1,000 refreshes')
  console.table(table)
}

async function measure(db: Db, owners: Owner[], pipeline: Document[], count: number): Promise<number> {
  const streams = await Promise.all(Array.from({ length: count }, () => open(db, pipeline)))

  await refresh(db, owners, 200)
  const before = await cpu(db)

  await refresh(db, owners, refreshes)
  await after(300) // for the streams to be through with them
  const used = (await cpu(db)) - before

  await Promise.all(streams.map((stream) => stream.close()))
  return (used / refreshes) * 1000
}

async function open(db: Db, pipeline: Document[]): Promise<ChangeStream> {
  const stream = db.collection('users').watch(pipeline, { maxAwaitTimeMS: 1000 })

  stream.on('change', () => {})
  stream.on('error', () => {})
  // The cursor is there with the first answer of the server
  await new Promise((done) => stream.once('resumeTokenChanged', done))
  return stream
}

/** s of CPU that mongod has used. */
async function cpu(db: Db): Promise<number> {
  const { extra_info: info } = await db.admin().serverStatus()

  return (info.user_time_us + info.system_time_us) / 1e6
}

interface Owner {
  _id: string
  session: SessionRecord
}

async function makeUsers(db: Db): Promise<Owner[]> {
  const owners = Array.from({ length: users }, () => ({ _id: randomUUID(), session: newSession() }))

  await collection(db).insertMany(owners.map(({ _id, session }) => document(_id, [session])))
  return owners
}

function newSession(): SessionRecord {
  const now = Date.now()

  return {
    id: newSessionId(now),
    strategy: 'local',
    device: { id: randomUUID(), name: 'A browser', userAgent: 'Mozilla/5.0', ip: '192.0.2.1' },
    renewable: true,
    used: randomUUID(),
    keys: [],
    createdAt: new Date(now),
    refreshedAt: new Date(now),
    expiresAt: new Date(now + settings.idleLife)
  }
}

const document = (_id: string, sessions: SessionRecord[]) => ({
  _id,
  email: `${_id}@example.com`,
  password: 'x'.repeat(97),
  roles: ['user'],
  sessions
})

type UserRow = Document & { _id: string }
const collection = (db: Db): Collection<UserRow> => db.collection<UserRow>('users')

async function refresh(db: Db, owners: Owner[], times: number): Promise<void> {
  let next = 0
  const work = async () => {
    while (next < times) {
      await refreshOnce(db, owners[next++ % owners.length]!)
    }
  }

  await Promise.all(Array.from({ length: concurrency }, work))
}

async function refreshOnce(db: Db, owner: Owner): Promise<void> {
  const { _id, session } = owner
  const token = tokenOf(session)
  const { match, update } = firstUse(token, undefined, settings, Date.now())
  const changed = await collection(db).findOneAndUpdate(
    { _id, sessions: { $elemMatch: match } },
    update,
    { writeConcern: { w: 'majority', journal: true }, projection: { _id: 1 } }
  )

  assert.ok(changed)
  session.used = token.jti
}

const tokenOf = (session: SessionRecord) =>
  ({ sid: session.id, jti: randomUUID(), prev: session.used }) as RefreshToken

/** Makes each kind of change to a user, and sees which of them a stream tells of. */
async function check(db: Db, name: string, pipeline: Document[]): Promise<void> {
  const stream = await open(db, pipeline)
  const heard = new Set<string>()

  stream.on('change', (event: Document) => heard.add(event.documentKey._id))

  const users = collection(db)
  const now = Date.now()
  const made: string[] = []
  const change = async (kind: string, update: Document | Document[], count = 2) => {
    const sessions = Array.from({ length: count }, newSession)
    const _id = `${kind} ${randomUUID()}`

    await users.insertOne(document(_id, sessions))
    made.push(_id)
    await until(() => heard.has(_id)) // the insertion
    heard.delete(_id)
    const made2 = typeof update === 'function' ? (update as (s: SessionRecord[]) => Document)(sessions) : update
    const { match, ...rest } = made2 as { match?: Document }
    const change = match ? (rest as { update: Document }).update : made2

    await users.updateOne(
      { _id, ...(match && { sessions: { $elemMatch: match } }) },
      change as Document
    )
  }
  const by = (make: (sessions: SessionRecord[]) => unknown) => make as unknown as Document

  const silent = {
    'a refresh': by(([s]) => firstUse(tokenOf(s!), 'key', settings, now)),
    'a refresh of the second': by(([, s]) => firstUse(tokenOf(s!), undefined, settings, now)),
    'a kept token taken away': by(() => ({ $unset: { 'sessions.0.keys': '' } })),
    'a kept token': by(() => ({ $set: { 'sessions.1.token': { jti: 'a', iat: 1, kid: 'b' } } }))
  }
  const told = {
    role: by(() => ({ $set: { roles: ['admin'] } })),
    disabled: by(() => ({ $set: { disabled: true } })),
    'enabled again': by(() => ({ $unset: { password: '' } })),
    'refresh and role': by(() => ({ $set: { 'sessions.0.used': 'x', roles: ['admin'] } })),
    'refresh and a field gone': by(() => ({ $set: { 'sessions.0.used': 'x' }, $unset: { password: '' } })),
    'first session ended': by(([s]) => ({ $pull: { sessions: { id: s!.id } } })),
    'last session ended': by(([, s]) => ({ $pull: { sessions: { id: s!.id } } })),
    'all ended': by(() => ({ $pull: { sessions: { id: { $ne: null } } } })),
    'all ended by a pipeline': by(() => [{ $set: { sessions: [] } }] as unknown as Document),
    'last ended by a pipeline': by(
      () => [{ $set: { sessions: { $slice: ['$sessions', 1] } } }] as unknown as Document
    ),
    'first ended by a pipeline': by(
      () => [{ $set: { sessions: { $slice: ['$sessions', -1] } } }] as unknown as Document
    ),
    opened: by(() => insertion(newSession(), { maxSessions: 20, now }) as unknown as Document),
    replaced: by(
      ([s]) =>
        insertion(newSession(), { deviceId: s!.device.id, maxSessions: 20, now }) as unknown as Document
    ),
    evicted: by(() => insertion(newSession(), { maxSessions: 2, now }) as unknown as Document),
    renamed: by(() => ({ $set: { 'sessions.0.device.name': 'x' } })),
    'a likeness': by(() => ({ $set: { 'sessions.0.usedBy': 'x' } })),
    'a likeness elsewhere': by(() => ({ $set: { other: { 'x': 1 } } }))
  }

  for (const [kind, update] of Object.entries({ ...silent, ...told })) {
    await change(kind, update)
  }

  // A repeat adds a key to the hashes, which is free to be told or not
  await change('repeat', by(([s]) => repeat({ ...tokenOf(s!), jti: s!.used }, 'k', now)))
  await users.deleteOne({ _id: made[0]! })
  await until(() => heard.has(made[0]!))
  heard.delete(made[0]!)

  const kindsHeard = new Set([...heard].map((id) => id.slice(0, -37)))
  for (const kind of Object.keys(silent)) if (kindsHeard.has(kind)) console.log(`${name}: WRONG, tells of "${kind}"`)
  for (const kind of Object.keys(told)) if (!kindsHeard.has(kind)) console.log(`${name}: WRONG, does not tell of "${kind}"`)
  console.log(name, 'repeat told:', kindsHeard.has('repeat'))
  await stream.close()
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 5000
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error('Not within 5 s')
    await after(5)
  }
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[process.env.MIN ? 0 : Math.floor(values.length / 2)]!
}

const data = await mkdtemp(join(tmpdir(), 'moult-streams-'))
const mongod = await startMongod({ folder: data, log: () => {} })
const client = new MongoClient(mongod.url, { maxPoolSize: 200 })

try {
  const db = client.db('streams')

  await db.createCollection('users')
  for (const [name, filter] of Object.entries(filters)) {
    if (!name.startsWith('no')) {
      await check(db, name, pipelineOf(filter))
    }
  }
  await bench(db)
} finally {
  await client.close()
  await mongod.stop()
  await rm(data, { recursive: true })
}
