import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { goal, median, table } from './harness/figures.js'
import { startDriver, type Driver } from './harness/load.js'
import { insertUsers } from './harness/minted.js'
import { addressSaid, seed, withServices, type Service } from './harness/services.js'

// What Moult holds in memory: after a run, beside Koa; by idle sessions; by open sockets; and with --soak=600 after so many
// seconds of full load. What a restart under load asks the database. And how long a second start takes.

const quick = process.argv.includes('--quick')
const idle = quick ? 2000 : 10_000 // sessions
const sockets = quick ? 500 : 2000
const duration = quick ? 2000 : 6000 // ms of each kind of load
const starts = quick ? 2 : 5
const scale = 10_000
const soak = Number(process.argv.find((word) => word.startsWith('--soak='))?.slice('--soak='.length) ?? 0) // s

const MiB = (bytes: number) => bytes / 2 ** 20

await withServices(['Moult', 'Koa'], async ([service, koa]) => {
  const driver = startDriver()

  try {
    await afterRun(service!, koa!, driver)
    if (soak > 0) {
      await afterSoak(service!, driver)
    }
    await withIdleSessions(service!, driver)
    await withSockets(service!, driver)
  } finally {
    driver.stop()
  }
})
await secondStarts()

async function afterRun(service: Service, koa: Service, driver: Driver): Promise<void> {
  const fresh = await service.rss()
  const resident = async (each: Service) => {
    await seed(each, ['keeps', 'signs-in'], 64)
    await driver.signIn(each.address, 64)
    for (const kind of ['refresh', 'read', 'login'] as const) {
      await driver.run({ kind, address: each.address, sessions: 64, duration })
    }

    return each.rss()
  }
  const bare = await resident(koa)
  const rss = await resident(service)
  const { rss: collected, heap } = await service.memory()

  console.log('\n## Memory of Moult\n')
  console.log(
    table([
      { '': 'started', 'RSS MiB': MiB(fresh) },
      { '': 'after refreshes, GETs and sign-ins of 64 sessions', 'RSS MiB': MiB(rss) },
      { '': 'the same, garbage collected', 'RSS MiB': MiB(collected) },
      { '': 'Koa after the same', 'RSS MiB': MiB(bare) }
    ])
  )
  console.log(
    `\n${goal('resident after the run, Moult to Koa', '≤ 1.25', rss / bare)}; heap ${MiB(heap).toFixed(0)} MiB`
  )
}

/** Full load, refreshes and GETs in turns: what it holds after a minute, and in the end. */
async function afterSoak({ address, memory }: Service, driver: Driver): Promise<void> {
  const load = async (seconds: number) => {
    for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
      await driver.run({ kind: 'refresh', address, sessions: 64, duration: 5000 })
      await driver.run({ kind: 'read', address, sessions: 64, duration: 5000 })
    }

    return (await memory()).heap
  }
  const first = await load(60)
  const last = await load(Math.max(0, soak - 60))

  console.log(goal(`heap after ${soak} s of full load, to that after 60 s`, '≤ 1.05', last / first))
}

/** Sessions that have asked once, so that whatever the service keeps of them it keeps now. */
async function withIdleSessions(service: Service, driver: Driver): Promise<void> {
  const { address } = service
  const before = await service.memory()

  await driver.adopt(address, await insertUsers(service, { users: idle, sessions: 1, tokens: idle }))

  const stored = await service.memory()
  const finds = await findsOf(service)

  // All at once, as after a restart under load: none is in memory
  await driver.each({ kind: 'read', address, sessions: 256 })

  const reads = ((await findsOf(service)) - finds) / idle

  console.log(goal('reads of the database for a call whose user is not in memory', '≤ 0.25', reads))
  grown(`${idle} sessions in the database`, before, stored, idle)
  grown(`${idle} sessions, each of which asked once`, before, await service.memory(), idle)
}

async function findsOf({ db }: Service): Promise<number> {
  const { metrics } = await db.admin().serverStatus()

  return metrics.commands.find.total
}

async function withSockets(service: Service, driver: Driver): Promise<void> {
  const before = await service.memory()

  await driver.connect(service.address, sockets)
  grown(`${sockets} sockets, each signed in to its session`, before, await service.memory(), sockets)
  await driver.disconnect(service.address)
}

interface Memory {
  rss: number
  heap: number
}

function grown(what: string, before: Memory, now: Memory, count: number): void {
  const per = (figure: keyof Memory) => MiB(((now[figure] - before[figure]) / count) * scale).toFixed(0)
  const kind = count === scale ? '' : ' (extrapolated)'

  console.log(`${what}: for ${scale} of them ${per('rss')} MiB resident, ${per('heap')} MiB of heap${kind}`)
}

/** `npm start`, with the embedded MongoDB, once more on the same data: how long till the first answer. */
async function secondStarts(): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'moult-bench-start-'))
  const times: number[] = []

  try {
    await start(data)
    for (let again = 0; again < starts; again++) {
      times.push(await start(data))
    }
  } finally {
    await rm(data, { recursive: true })
  }

  console.log(
    goal('second `npm start`, MongoDB and all, to the first answer', '≤ 2', median(times) / 1000, ' s')
  )
}

async function start(data: string): Promise<number> {
  const began = performance.now()
  const child = spawn('npm', ['start', '--silent'], {
    cwd: resolve(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      NODE_ENV: 'development',
      HOSTNAME: '127.0.0.1',
      PORT: '0',
      MONGODB_URL: undefined,
      NODE_CONFIG: JSON.stringify({ data })
    }
  })
  const ended = once(child, 'exit')
  const { ok } = await fetch(`${await addressSaid(child.stdout)}/health`)
  const time = performance.now() - began

  child.kill('SIGTERM')
  await ended

  if (!ok) {
    throw new Error('The first answer was an error')
  }

  return time
}
