import { goal, median, table } from './harness/figures.js'
import { startDriver, type Driver, type Kind, type Load } from './harness/load.js'
import {
  names as others,
  seed,
  withHooks,
  withServices,
  type Name,
  type Service
} from './harness/services.js'

// What a refresh, an authenticated GET, a call over a socket and a sign-in cost Moult, bare programs and stock
// Feathers. The services take turns, so that what else the machine does meets all of them. With --quick 16 sessions
// only, and short runs; with --only=refresh,read some of the loads only.

interface Run {
  /** CPU of the service per 1,000 requests, s */
  cpu: number
  perSecond: number
  p50: number
  p99: number
}

const names: Name[] = [...others, withHooks]
const quick = process.argv.includes('--quick')
const only = process.argv.find((word) => word.startsWith('--only='))?.slice('--only='.length)
const kinds = (['refresh', 'read', 'login', 'socket'] as const).filter(
  (kind) => only === undefined || only.split(',').includes(kind)
)
const crowdSizes = quick ? [16] : [1, 16, 64]
const rounds = quick ? 3 : 5
const duration = quick ? 700 : 1500 // ms of a run
// Requests of each kind to each service before the first run, till V8 has compiled what they run through; and how long
// that may take at most, ms
const warmUp: Partial<Record<Kind, number>> = { refresh: 2000, read: 8000, login: 50, socket: 8000 }
const longestWarmUp = quick ? 6000 : 10_000

const titles: Partial<Record<Kind, string>> = {
  refresh: 'Refresh',
  read: 'Authenticated GET /content/user',
  socket: 'Call over a socket: get content user',
  login: 'Sign-in'
}

const goals: Partial<Record<Kind, (ratio: (name: Name, base: Name, sessions: number) => number) => void>> = {
  refresh(ratio) {
    console.log(goal('Moult to Koa at 16 sessions, CPU', '≤ 1.3', ratio('Moult', 'Koa', 16)))
    console.log(goal('stock to Moult at 16 sessions, CPU', '≥ 4', ratio('stock', 'Moult', 16)))
  },
  read(ratio) {
    console.log(goal('Moult to Koa at 16 sessions, CPU', '≤ 2.5', ratio('Moult', 'Koa', 16)))
    console.log(goal('stock to Moult at 16 sessions, CPU', '≥ 6', ratio('stock', 'Moult', 16)))
  }
}

await withServices(names, async (services) => {
  const driver = startDriver()
  const most = crowdSizes.at(-1)!

  try {
    for (const service of services) {
      await seed(service, ['keeps', 'signs-in'], most)
      await driver.signIn(service.address, most)
    }

    for (const kind of kinds) {
      // Not before: other sockets would hear of each refresh
      if (kind === 'socket') {
        await Promise.all(services.map(({ address }) => driver.connect(address, most)))
      }

      await compare(driver, services, kind)
    }
  } finally {
    driver.stop()
  }
})

async function compare(driver: Driver, services: Service[], kind: Kind): Promise<void> {
  for (const { address } of services) {
    await driver.run({ kind, address, sessions: 16, duration: longestWarmUp, most: warmUp[kind]! })
  }

  const runs: Record<string, Run[]> = {}
  const runsOf = (name: Name, sessions: number) => (runs[`${name} ${sessions}`] ??= [])

  for (let round = 0; round < rounds; round++) {
    for (const sessions of crowdSizes) {
      for (const service of services) {
        const load = { kind, address: service.address, sessions, duration }

        runsOf(service.name, sessions).push(await measure(driver, service, load))
      }
    }
  }

  /** Of the runs of one round, which were next to each other in time. */
  const ratio = (name: Name, base: Name, sessions: number) =>
    median(runsOf(name, sessions).map(({ cpu }, round) => cpu / runsOf(base, sessions)[round]!.cpu))
  const middle = (name: Name, sessions: number, figure: keyof Run) =>
    median(runsOf(name, sessions).map((run) => run[figure]))

  const rows = crowdSizes.flatMap((sessions) =>
    names.map((name) => ({
      sessions: String(sessions),
      service: name,
      'CPU-s per 1,000': middle(name, sessions, 'cpu'),
      'of Koa': ratio(name, 'Koa', sessions),
      'requests/s': middle(name, sessions, 'perSecond'),
      'p50 ms': middle(name, sessions, 'p50'),
      'p99 ms': middle(name, sessions, 'p99')
    }))
  )

  console.log(`\n## ${titles[kind]}\n\n${table(rows)}\n`)
  goals[kind]?.(ratio)
}

async function measure(driver: Driver, service: Service, load: Load): Promise<Run> {
  const before = await service.cpu()
  const { requests, seconds, p50, p99 } = await driver.run(load)
  const cpu = (await service.cpu()) - before

  return { cpu: (cpu / requests) * 1000, perSecond: requests / seconds, p50, p99 }
}
