import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMongod } from '../../src/dev/mongod.js'
import { median, table } from './harness/figures.js'
import { startDriver, type Driver } from './harness/load.js'
import { insertUsers } from './harness/minted.js'
import { buildPrograms, databaseOf, startService, type Service } from './harness/services.js'

// Whether a refresh costs the same however many users there are, and sessions of each: 1,000 and 100,000 users of 1 and
// of 20 sessions, or --users=1000,1000000 --sessions=1. A million take minutes, with 20 sessions a quarter of an hour and
// 10 GB. On a MongoDB of its own, whose data is deleted afterwards.

interface Stage {
  users: number
  sessions: number
  service: Service
}

interface Run {
  perSecond: number
  p50: number
  p99: number
  /** CPU per 1,000 refreshes, s */
  service: number
  mongod: number
}

const quick = process.argv.includes('--quick')
const counts = listOf('--users') ?? [1000, quick ? 20_000 : 100_000]
const sessionsEach = listOf('--sessions') ?? [1, 20]
const sessions = 16
const spread = 1000 // sessions that take turns: what is asked next was not just read
const rounds = quick ? 3 : 7
const duration = quick ? 1000 : 3000 // ms
const warmUp = 4000 // ms

const data = await mkdtemp(join(tmpdir(), 'moult-bench-growth-'))
const mongod = await startMongod({ folder: data, log: () => {} })
const driver = startDriver()
const stages: Stage[] = []

try {
  await buildPrograms()
  for (const users of counts) {
    for (const sessions of sessionsEach) {
      stages.push(await prepare(users, sessions))
    }
  }

  await compare()
} finally {
  driver.stop()
  for (const { service } of stages) {
    await service.stop()
  }
  await mongod.stop()
  await rm(data, { recursive: true })
}

function listOf(option: string): number[] | undefined {
  const word = process.argv.find((word) => word.startsWith(`${option}=`))

  return word
    ?.slice(option.length + 1)
    .split(',')
    .map(Number)
}

async function prepare(users: number, each: number): Promise<Stage> {
  // It makes the indexes, before there is anything in them
  const service = await startService('Moult', databaseOf('Moult', mongod.url))
  const tokens = await insertUsers(service, { users, sessions: each, tokens: spread })

  await driver.adopt(service.address, tokens)
  return { users, sessions: each, service }
}

async function compare(): Promise<void> {
  const runs = stages.map((): Run[] => [])

  for (const stage of stages) {
    await measure(driver, stage, warmUp)
  }
  for (let round = 0; round < rounds; round++) {
    for (const [index, stage] of stages.entries()) {
      runs[index]!.push(await measure(driver, stage, duration))
    }
  }

  const middle = (index: number, figure: keyof Run) => median(runs[index]!.map((run) => run[figure]))
  const rows = stages.map(({ users, sessions }, index) => ({
    users: users.toLocaleString('en'),
    'sessions each': String(sessions),
    'CPU-s per 1,000, Moult': middle(index, 'service'),
    'of the first': median(runs[index]!.map(({ service }, round) => service / runs[0]![round]!.service)),
    'CPU-s per 1,000, mongod': middle(index, 'mongod'),
    'refreshes/s': middle(index, 'perSecond'),
    'p50 ms': middle(index, 'p50'),
    'p99 ms': middle(index, 'p99')
  }))

  console.log(`\n## Growth: refresh at ${sessions} sessions\n\n${table(rows)}`)
}

async function measure(driver: Driver, { service }: Stage, duration: number): Promise<Run> {
  const before = await service.cpu()
  const mongodBefore = await service.mongodCpu()
  const { requests, seconds, p50, p99 } = await driver.run({
    kind: 'refresh',
    address: service.address,
    sessions,
    duration,
    turns: true
  })
  const cpu = (await service.cpu()) - before
  const mongod = (await service.mongodCpu()) - mongodBefore
  const perThousand = (seconds: number) => (seconds / requests) * 1000

  return {
    perSecond: requests / seconds,
    p50,
    p99,
    service: perThousand(cpu),
    mongod: perThousand(mongod)
  }
}
