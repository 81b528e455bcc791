import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { MongoClient } from 'mongodb'
import { checkDatabase } from '../../src/cli/check/database.js'
import { neededIndexes } from '../../src/cli/check/indexes.js'
import type { Finding } from '../../src/cli/check/finding.js'
import { runningMongod } from '../../src/dev/mongod.js'
import { databaseUrl, startApp, withApp, type TestApp } from '../support/app.js'
import { moultAtTerminal } from '../support/moult.js'
import { runScript } from '../support/process.js'
import { startReplicaSet } from '../support/replica-set.js'
import { poll } from '../support/socket.js'
import { startStandaloneMongod } from '../support/standalone-mongod.js'

const moultCheck = (env: Record<string, string>, ...args: string[]) =>
  runScript('cli.ts', { args: ['check', ...args], env: { NODE_ENV: 'test', ...env } })
const statesOf = (findings: Finding[]) =>
  Object.fromEntries(findings.map(({ check, state }) => [check, state]))
const findingOf = (findings: Finding[], check: Finding['check']) =>
  findings.find((one) => one.check === check)!
const allWell = {
  database: 'ok',
  version: 'ok',
  'replica set': 'ok',
  writes: 'ok',
  'change stream': 'ok',
  indexes: 'ok',
  clock: 'ok'
}

describe('moult check', { concurrency: 2 }, () => {
  it('finds nothing wrong with the database of a running service, and does not change it', () =>
    withApp({}, async (t) => {
      const names = async () => (await t.db.listCollections().toArray()).map(({ name }) => name).sort()

      await poll(async () => (await names()).length >= 5, 'all collections')

      const before = await names()
      const [people, programs] = await Promise.all([
        moultCheck({ MONGODB_URL: t.url }),
        moultCheck({ MONGODB_URL: t.url }, '--json')
      ])
      const { ok, findings } = JSON.parse(programs.stdout)

      assert.deepEqual([people.code, people.stderr, programs.code], [0, '', 0])
      assert.match(people.stdout, /^check +state +found\nconfiguration +ok +.*\n[^]*\n\nAll is well$/)
      assert.equal(ok, true)
      assert.deepEqual(statesOf(findings), { configuration: 'ok', ...allWell })
      assert.deepEqual(await names(), before)
    }))

  it('shows its progress on a terminal', () =>
    withApp({}, async (t) => {
      const { seen, code } = await (await moultAtTerminal(t, ['check'])).end()

      assert.equal(code, 0)
      assert.match(seen, /Checking: replica set …[^]*Checking: clock …[^]*check +state +found/)
    }))

  const mistakes: [string, Record<string, string>, RegExp, RegExp][] = [
    [
      'an unknown strategy',
      { NODE_CONFIG: '{"authentication": {"authStrategies": ["jwt", "local", "refresh-token", "locale"]}}' },
      /^configuration +wrong +authentication\.authStrategies names "locale", but .*$/m,
      /^ +configuration: write one of .*$/m
    ],
    [
      'no secrets in production',
      { NODE_ENV: 'production', MONGODB_URL: 'mongodb://127.0.0.1:1/x' },
      /^configuration +wrong +authentication\.secret is missing$/m,
      /^ +configuration: set ACCESS_TOKEN_SECRET to .*$/m
    ],
    [
      'a database that is away, whose password it keeps to itself',
      { MONGODB_URL: 'mongodb://ada:hunter2@127.0.0.1:1/x' },
      /^database +wrong +127\.0\.0\.1:1 can not be reached \(127\.0\.0\.1:1 refuses connections\)$/m,
      /^ +database: start MongoDB there, .*$/m
    ],
    [
      'a replica set of another name',
      { MONGODB_URL: databaseUrl('x').replace(/\?.*/, '?replicaSet=other') },
      /^database +wrong +\S+ answers, but is no member of the replica set other$/m,
      /^ +database: write the name of the set \(rs\.status\(\)\.set\) as replicaSet in MONGODB_URL/m
    ]
  ]

  for (const [what, env, found, mend] of mistakes) {
    it(`says what is wrong and how to mend it, with code 1: ${what}`, async () => {
      const { code, stdout, stderr } = await moultCheck(env)

      assert.deepEqual([code, stderr], [1, ''])
      assert.match(stdout, found)
      assert.match(stdout, mend)
      assert.doesNotMatch(stdout, /hunter2|All is well/)
    })
  }

  it('starts the embedded MongoDB if it is not running, and says so', async () => {
    const data = await mkdtemp(join(tmpdir(), 'moult-check-'))

    try {
      const { code, stdout, stderr } = await moultCheck(
        { MONGODB_URL: '', NODE_CONFIG: JSON.stringify({ data }) },
        '--json'
      )

      assert.equal(code, 0)
      assert.match(stderr, /^MongoDB \S+ \(.*\) keeps its data in .*$/m)
      assert.deepEqual(statesOf(JSON.parse(stdout).findings), { configuration: 'ok', ...allWell })
      assert.equal(await runningMongod(data), null)
    } finally {
      await rm(data, { recursive: true })
    }
  })

  it('reports a server that is not a replica set, and so has no change streams', async () => {
    const mongod = await startStandaloneMongod()

    try {
      const { code, stdout } = await moultCheck({ MONGODB_URL: mongod.url }, '--json')
      const { ok, findings } = JSON.parse(stdout)

      assert.deepEqual([code, ok], [1, false])
      assert.deepEqual(statesOf(findings), {
        configuration: 'ok',
        ...allWell,
        'replica set': 'wrong',
        'change stream': 'wrong'
      })
      assert.match(findingOf(findings, 'replica set').mend!, /--replSet/)
    } finally {
      await mongod.stop()
    }
  })
})

describe('moult check, of a database', () => {
  let t: TestApp

  before(async () => {
    t = await startApp()
    await poll(async () => (await t.db.listCollections().toArray()).length >= 5, 'all collections')
    await poll(async () => (await t.db.collection('events').indexes()).length === 5, 'the indexes of events')
  })
  after(() => t.stop())

  const indexFindings = async () =>
    (await checkDatabase(t.url))
      .filter(({ check }) => check === 'indexes')
      .map(({ state, found }) => [state, found])

  it('checks all indexes that a service creates', async () => {
    const collections = await t.db.listCollections().toArray()
    const made = await Promise.all(
      collections.map(async ({ name }) =>
        (await t.db.collection(name).indexes()).map(({ key }) => `${name} ${JSON.stringify(key)}`)
      )
    )

    assert.deepEqual(
      made
        .flat()
        .filter((index) => !index.endsWith('{"_id":1}') && index !== 'events {"createdAt":1}')
        .sort(),
      neededIndexes.map(({ collection, key }) => `${collection} ${JSON.stringify(key)}`).sort()
    )
  })

  it('reports a clock that is off', async () => {
    const at = async (offset: number) =>
      findingOf(await checkDatabase(t.url, () => Date.now() + offset), 'clock')

    const ahead = await at(60_000)

    assert.equal(ahead.state, 'wrong')
    assert.match(ahead.found, /^(59|60)\.\d s ahead of the database's$/)
    assert.equal((await at(-3000)).state, 'warning')
  })

  it('reports missing and different indexes, and a duplicate email', async () => {
    await t.db.collection('users').dropIndexes()
    await t.db.collection('rateLimits').dropIndex('expire_1')
    await t.db.collection('rateLimits').createIndex({ expire: 1 })

    assert.deepEqual(await indexFindings(), [
      ['wrong', 'users has no index on email'],
      ['wrong', 'users has no index on identities.$**'],
      ['wrong', 'users has no index on passwordReset.id'],
      ['wrong', 'the index on expire of rateLimits differs from the one that the service makes']
    ])

    await t.db.collection('users').insertMany([{ email: 'ada@example.com' }, { email: 'ADA@example.com' }])

    assert.match((await indexFindings())[0]![1]!, /two users have the email ada@example\.com$/i)
  })

  it('finds nothing wrong with a new database', async () => {
    const url = databaseUrl(`${t.db.databaseName}-new`)

    assert.deepEqual(statesOf(await checkDatabase(url)), allWell)
  })
})

describe('moult check, of a replica set', () => {
  it('reports a majority that does not acknowledge, and a missing primary', async () => {
    const set = await startReplicaSet()

    try {
      const primary = await set.primary()
      const others = set.members.filter((member) => member !== primary)

      assert.deepEqual(statesOf(await checkDatabase(set.url)), allWell)

      // Two of three answer, but write nothing down
      const lock = async (lock: object) => {
        for (const { port } of others) {
          const client = await MongoClient.connect(`mongodb://127.0.0.1:${port}/?directConnection=true`)

          await client.db('admin').command(lock)
          await client.close()
        }
      }

      await lock({ fsync: 1, lock: true })

      const findings = await checkDatabase(set.url)

      await lock({ fsyncUnlock: 1 })
      assert.deepEqual(statesOf(findings), { ...allWell, writes: 'wrong', 'change stream': 'wrong' })
      assert.match(findingOf(findings, 'writes').mend!, /start the members that are down/)

      await Promise.all(others.map((member) => member.kill()))
      await poll(
        async () => (await primary.state()) === 'SECONDARY',
        'the end of its time as primary',
        20_000
      )

      const [finding] = await checkDatabase(set.url)

      assert.match(finding!.found, /answers, but there is no primary$/)
    } finally {
      await set.remove()
    }
  })
})
