import { pinCores } from './harness/cores.js'
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

// What a refresh, authenticated GETs, a call over a socket and a sign-in cost Moult, bare programs and stock Feathers. The
// services take turns, so that what else the machine does meets all of them. With --quick 16 sessions only, and short
// runs; with --only=refresh,read some of the loads only; with --pin the services have a core for themselves.

interface Run {
  /** CPU of the service per 1,000 requests, s */
  cpu: number
  /** The same of MongoDB */
  mongod: number
  perSecond: number
  p50: number
  p99: number
  /** Resident after the run, MiB */
  rss: number
}

const names: Name[] = [...others, withHooks]
const quick = process.argv.includes('--quick')
const isPinned = process.argv.includes('--pin')
const only = process.argv.find((word) => word.startsWith('--only='))?.slice('--only='.length)
const kinds = (['refresh', 'read', 'user', 'login', 'socket'] as const).filter(
  (kind) => only === undefined || only.split(',').includes(kind)
)
const crowdSizes = quick ? [16] : [1, 16, 64]
const rounds = quick ? 3 : 5
const duration = quick ? 700 : 1500 // ms of a run
// Requests of each kind to each service before the first run, till V8 has compiled what they run through; and how long
// that may take at most, ms
const warmUp: Partial<Record<Kind, number>> = {
  refresh: 2000,
  read: 8000,
  user: 4000,
  login: 50,
  socket: 8000
}
const longestWarmUp = quick ? 6000 : 10_000

const titles: Partial<Record<Kind, string>> = {
  refresh: 'Refresh',
  read: 'Authenticated GET /content/user',
  user: 'GET /users/:id of oneself',
  socket: 'Call over a socket: get content user',
  login: 'Sign-in'
}

type Ratio = (figure: keyof Run, sessions: number, name?: Name, base?: Name) => number

/** To Koa in the same round, if nothing else is said: which figure, at how many sessions. */
const goals: Partial<Record<Kind, [figure: keyof Run, sessions: number, bound: string][]>> = {
  refresh: [
    ['cpu', 1, '≤ 1.3'],
    ['cpu', 16, '≤ 1.3'],
    ['cpu', 64, '≤ 1'],
    ['mongod', 16, '≤ 0.4'],
    ['mongod', 64, '≤ 0.25'],
    ['perSecond', 64, '≥ 1.5'],
    ['p99', 64, '≤ 1'],
    ['rss', 64, '≤ 1.25']
  ],
  read: [['cpu', 16, '≤ 1.8']],
  user: [['cpu', 16, '≤ 1.3']],
  login: [
    ['perSecond', 64, '≥ 0.92'],
    ['mongod', 64, '≤ 1.5']
  ]
}
const figures: Record<keyof Run, string> = {
  cpu: 'CPU',
  mongod: "MongoDB's CPU",
  perSecond: 'requests/s',
  p50: 'p50',
  p99: 'p99',
  rss: 'resident memory'
}

await withServices(names, async (services) => {
  const driver = startDriver()
  const most = crowdSizes.at(-1)!

  try {
    for (const service of services) {
      await seed(service, ['keeps', 'signs-in'], most)
      await driver.signIn(service.address, most)
    }

    if (isPinned) {
      await pinCores(services, [driver])
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
  const ratio: Ratio = (figure, sessions, name = 'Moult', base = 'Koa') =>
    median(runsOf(name, sessions).map((run, round) => run[figure] / runsOf(base, sessions)[round]![figure]))
  const middle = (name: Name, sessions: number, figure: keyof Run) =>
    median(runsOf(name, sessions).map((run) => run[figure]))

  const rows = crowdSizes.flatMap((sessions) =>
    names.map((name) => ({
      sessions: String(sessions),
      service: name,
      'CPU-s per 1,000': middle(name, sessions, 'cpu'),
      'of Koa': ratio('cpu', sessions, name),
      'MongoDB CPU-s': middle(name, sessions, 'mongod'),
      'requests/s': middle(name, sessions, 'perSecond'),
      'p50 ms': middle(name, sessions, 'p50'),
      'p99 ms': middle(name, sessions, 'p99'),
      'RSS MiB': middle(name, sessions, 'rss')
    }))
  )

  console.log(`\n## ${titles[kind]}\n\n${table(rows)}\n`)

  for (const [figure, sessions, bound] of goals[kind] ?? []) {
    if (crowdSizes.includes(sessions)) {
      console.log(
        goal(`${figures[figure]} at ${sessions} sessions, Moult to Koa`, bound, ratio(figure, sessions))
      )
    }
  }
}

async function measure(driver: Driver, service: Service, load: Load): Promise<Run> {
  const before = [await service.cpu(), await service.mongodCpu()] as const
  const { requests, seconds, p50, p99 } = await driver.run(load)
  const perThousand = (now: number, then: number) => ((now - then) / requests) * 1000
  const cpu = perThousand(await service.cpu(), before[0])
  const mongod = perThousand(await service.mongodCpu(), before[1])

  return { cpu, mongod, perSecond: requests / seconds, p50, p99, rss: (await service.rss()) / 2 ** 20 }
}
