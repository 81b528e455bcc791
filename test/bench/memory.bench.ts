import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { goal, median, table } from './harness/figures.js'
import { startDriver, type Driver } from './harness/load.js'
import { insertUsers } from './harness/minted.js'
import { addressSaid, seed, withServices, type Service } from './harness/services.js'

// What Moult holds in memory: after a run, by idle sessions, by open sockets. And how long its second start takes.

const quick = process.argv.includes('--quick')
const idle = quick ? 2000 : 10_000 // sessions
const sockets = quick ? 500 : 2000
const duration = quick ? 2000 : 6000 // ms of each kind of load
const starts = quick ? 2 : 5
const scale = 10_000

const MiB = (bytes: number) => bytes / 2 ** 20

await withServices(['Moult'], async ([service]) => {
  const driver = startDriver()

  try {
    await afterRun(service!, driver)
    await withIdleSessions(service!, driver)
    await withSockets(service!, driver)
  } finally {
    driver.stop()
  }
})
await secondStarts()

async function afterRun(service: Service, driver: Driver): Promise<void> {
  const { address } = service
  const fresh = await service.rss()

  await seed(service, ['keeps', 'signs-in'], 64)
  await driver.signIn(address, 64)
  for (const kind of ['refresh', 'read', 'login'] as const) {
    await driver.run({ kind, address, sessions: 64, duration })
  }

  const rss = await service.rss()
  const { rss: collected, heap } = await service.memory()

  console.log('\n## Memory of Moult\n')
  console.log(
    table([
      { '': 'started', 'RSS MiB': MiB(fresh) },
      { '': 'after refreshes, GETs and sign-ins of 64 sessions', 'RSS MiB': MiB(rss) },
      { '': 'the same, garbage collected', 'RSS MiB': MiB(collected) }
    ])
  )
  console.log(
    `\n${goal('resident after the run', '≤ 150', MiB(rss), ' MiB')}; heap ${MiB(heap).toFixed(0)} MiB`
  )
}

/** Sessions that have asked once, so that whatever the service keeps of them it keeps now. */
async function withIdleSessions(service: Service, driver: Driver): Promise<void> {
  const { address } = service
  const before = await service.memory()

  await driver.adopt(address, await insertUsers(service, { users: idle, sessions: 1, tokens: idle }))

  const stored = await service.memory()

  await driver.each({ kind: 'read', address, sessions: 16 })
  grown(`${idle} sessions in the database`, before, stored, idle)
  grown(`${idle} sessions, each of which asked once`, before, await service.memory(), idle)
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
