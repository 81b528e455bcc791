import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { runningMongod } from '../../src/dev/mongod.js'
import {
  childrenOf,
  isAlive,
  mongodOf,
  startOwner,
  withDatabase,
  type MongodOwner
} from '../support/mongod.js'
import { until } from '../support/until.js'

let folder: string
let owners: MongodOwner[]

const start = async (env?: NodeJS.ProcessEnv) => {
  const owner = await startOwner(folder, env)

  owners.push(owner)
  return owner
}

/** Starts one that is expected to come up. */
const started = async () => {
  const owner = await start()

  assert.equal(owner.error, undefined)
  return owner
}

const write = (owner: MongodOwner, name: string) =>
  withDatabase(owner, (db) =>
    db.collection<{ name: string }>('kept').insertOne({ name }, { writeConcern: { w: 'majority', j: true } })
  )

const kept = (owner: MongodOwner) =>
  withDatabase(owner, async (db) => {
    const found = await db.collection<{ name: string }>('kept').find().sort({ _id: 1 }).toArray()

    return found.map(({ name }) => name)
  })

const portOf = ({ url }: MongodOwner) => Number(new URL(url!).port)

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'moult-mongod-')), 'data')
  owners = []
})

afterEach(async () => {
  await Promise.all(owners.map((owner) => owner.end('SIGKILL')))
  const mongod = await mongodOf(folder)

  // it is ending by itself, which takes a second that nothing needs
  if (isAlive(mongod) && mongod !== process.pid) process.kill(mongod, 'SIGKILL')
  await until('no mongod holds the folder', () => !isAlive(mongod))
  await rm(join(folder, '..'), { recursive: true })
})

describe('the embedded MongoDB', () => {
  it('has change streams and transactions, and says what it uses', async () => {
    const owner = await started()

    await withDatabase(owner, async (db, client) => {
      const { operationTime } = await db.command({ ping: 1 })
      const stream = db.collection('kept').watch([], { startAtOperationTime: operationTime })
      const change = stream.next()

      await client.withSession((session) =>
        session.withTransaction(() => db.collection('kept').insertOne({ name: 'Ada' }, { session }))
      )
      assert.equal((await change).operationType, 'insert')
      await stream.close()
    })
    assert.match(
      owner.sentences.join('\n'),
      /^MongoDB \d+\.\d+\.\d+ \(from .+\) keeps its data in .+mongodb$/m
    )
  })

  it('keeps its data and its port from start to start', async () => {
    const first = await started()

    await write(first, 'one')
    await first.end('SIGTERM')
    const second = await started()

    await write(second, 'two')
    await second.end('SIGINT')
    const third = await started()

    assert.deepEqual(await kept(third), ['one', 'two'])
    assert.equal(portOf(third), portOf(first))
  })

  it('takes another port when its own is taken, and keeps that', async () => {
    const first = await started()

    await write(first, 'one')
    await first.end('SIGTERM')
    const server = createServer().listen(portOf(first), '127.0.0.1')

    try {
      const second = await started()

      assert.notEqual(portOf(second), portOf(first))
      assert.deepEqual(await kept(second), ['one'])
      await second.end('SIGTERM')
      assert.equal(portOf(await started()), portOf(second))
    } finally {
      server.close()
    }
  })

  it('ends when its service is killed', async () => {
    const owner = await started()
    const mongod = await mongodOf(folder)

    assert.ok(isAlive(mongod))
    await owner.end('SIGKILL')
    await until('the mongod has ended', () => !isAlive(mongod))
  })

  it('starts at once after its service was killed, with all that was acknowledged', async () => {
    for (const name of ['one', 'two']) {
      const owner = await started()

      await write(owner, name)
      await owner.end('SIGKILL')
    }
    assert.deepEqual(await kept(await started()), ['one', 'two'])
  })

  it('ends one that was left behind', { skip: process.platform !== 'linux' }, async () => {
    const owner = await started()
    const mongod = await mongodOf(folder)

    await write(owner, 'one')
    for (const child of await childrenOf(owner.pid)) {
      if (child !== mongod) process.kill(child, 'SIGKILL') // the watcher that would end it
    }
    await owner.end('SIGKILL')
    assert.ok(isAlive(mongod))

    const next = await started()

    assert.ok(
      next.sentences.includes(`Ending the MongoDB that a killed service left behind (process ${mongod})`)
    )
    await until('the old mongod is gone', () => !isAlive(mongod))
    assert.deepEqual(await kept(next), ['one'])
  })

  it('does not touch an unrelated process with the process id of its last run', async () => {
    const first = await started()

    await write(first, 'one')
    await first.end('SIGTERM')
    await writeFile(join(folder, 'mongodb', 'mongod.lock'), `${process.pid}\n`)

    assert.deepEqual(await kept(await started()), ['one'])
  })

  it('refuses a second service, and says who uses the folder', async () => {
    const first = await started()
    const second = await start()

    assert.equal(
      second.error,
      `Another service (process ${first.pid}) uses the database in ${join(folder, 'mongodb')}: stop it, or set MONGODB_URL for both.`
    )
    await write(first, 'still there')
  })

  it('lets one of two start at once', async () => {
    const both = await Promise.all([start(), start()])
    const winner = both.find(({ url }) => url)
    const loser = both.find(({ error }) => error)

    assert.match(
      loser?.error ?? '',
      new RegExp(`^Another service \\(process ${winner?.pid}\\) uses the database`)
    )
    await write(winner!, 'still there')
  })

  it('is restarted when it ends unexpectedly', async () => {
    const owner = await started()
    const mongod = await mongodOf(folder)

    await write(owner, 'one')
    process.kill(mongod, 'SIGKILL')
    await until('it can be reached again', async () => (await runningMongod(folder)) !== null)

    assert.notEqual(await mongodOf(folder), mongod)
    assert.deepEqual(await kept(owner), ['one'])
  })

  it('survives Ctrl-C until its service has stopped', async () => {
    const owner = await started()

    await owner.end('SIGINT', 'group')
    assert.equal(await withDatabase(await started(), (db) => db.collection('drained').countDocuments()), 1)
  })

  it('is found by other processes while it runs, and only then', async () => {
    assert.equal(await runningMongod(folder), null)
    const owner = await started()

    assert.equal(await runningMongod(folder), owner.url)
    assert.equal((await stat(join(folder, 'mongod.json'))).mode & 0o777, 0o600)

    await owner.end('SIGTERM')
    assert.equal(await runningMongod(folder), null)

    const killed = await started()

    await killed.end('SIGKILL')
    await until('the mongod has ended', async () => !isAlive(await mongodOf(folder)))
    assert.match(await readFile(join(folder, 'mongod.json'), 'utf8'), /"url"/)
    assert.equal(await runningMongod(folder), null)
  })
})

describe('without a MongoDB on the machine', () => {
  let bin: string

  before(async () => {
    bin = await mkdtemp(join(tmpdir(), 'moult-bin-'))
  })

  after(() => rm(bin, { recursive: true }))

  const offline = () => ({
    ...process.env,
    PATH: bin,
    XDG_CACHE_HOME: join(folder, 'cache'),
    MONGOMS_DOWNLOAD_MIRROR: 'http://127.0.0.1:9', // the port that discards: nothing listens there
    MONGOMS_USE_HTTP: 'true'
  })

  it('says what to do when none can be fetched', async () => {
    const { error, sentences } = await start(offline())

    assert.equal(
      error,
      'There is no MongoDB, and none could be fetched: set MONGODB_URL, or put a mongod 6.0 or newer on the PATH.'
    )
    assert.match(
      sentences.join('\n'),
      /^MongoDB could not be downloaded from the official download: .*ECONNREFUSED/m
    )
  })

  it('does not use an old one', { skip: process.platform === 'win32' }, async () => {
    const old = join(bin, 'mongod')

    await mkdir(bin, { recursive: true })
    await writeFile(old, '#!/bin/sh\necho "db version v4.4.29"\n')
    await chmod(old, 0o755)
    const { error, sentences } = await start(offline())

    assert.ok(sentences.includes(`${old} is MongoDB 4.4.29, which is too old: 6.0 or newer is needed`))
    assert.match(error ?? '', /^There is no MongoDB/)
  })
})
