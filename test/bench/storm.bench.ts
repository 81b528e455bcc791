import { fork } from 'node:child_process'
import { join } from 'node:path'
import { callerOf } from './harness/calls.js'
import { pinCores } from './harness/cores.js'
import { goal, median, table } from './harness/figures.js'
import { startDriver, type Driver } from './harness/load.js'
import { seed, withServices, type Service } from './harness/services.js'

// A storm of sign-ins: how many a second of those that the bare program does, and that Argon2id alone could do, what they
// cost MongoDB, and how long everybody else waits. With --pin the services have a core for themselves.

interface Storm {
  perSecond: number
  /** CPU of a sign-in, s */
  cpu: number
  /** The same of MongoDB, s */
  mongod: number
  loopP50: number
  loopP99: number
  loopMax: number
  trivialP50: number
  trivialP99: number
}

const quick = process.argv.includes('--quick')
const isPinned = process.argv.includes('--pin')
const inFlight = 64
const rounds = quick ? 2 : 5
const duration = quick ? 4000 : 8000 // ms of a storm
const warmUp = 2000 // ms

const hasher = fork(join(import.meta.dirname, 'harness/hasher.ts'))
const hash = callerOf(hasher)

await withServices(['stock', 'Koa', 'Moult'], async (services) => {
  const crowd = startDriver()
  const bystander = startDriver()
  const storms: Record<string, Storm[]> = { stock: [], Koa: [], Moult: [] }
  const alone: { perSecond: number; cpu: number }[] = []

  try {
    for (const service of services) {
      await seed(service, ['signs-in'], inFlight)
      await storm(service, crowd, bystander, warmUp)
    }

    if (isPinned) {
      await pinCores(services, [crowd, bystander])
    }

    for (let round = 0; round < rounds; round++) {
      alone.push(await hash('hash', duration / 2))
      for (const service of services) {
        storms[service.name]!.push(await storm(service, crowd, bystander, duration))
      }
    }
  } finally {
    crowd.stop()
    bystander.stop()
    hasher.kill()
  }

  print(alone, storms)
})

async function storm(service: Service, crowd: Driver, bystander: Driver, duration: number): Promise<Storm> {
  const { address } = service
  const before = await service.cpu()
  const mongodBefore = await service.mongodCpu()

  await service.watchLoop()

  const [signIns, trivial] = await Promise.all([
    crowd.run({ kind: 'login', address, sessions: inFlight, duration }),
    bystander.run({ kind: 'health', address, sessions: 1, duration, pause: 20 })
  ])
  const { p50, p99, max } = await service.loopDelay()

  return {
    perSecond: signIns.requests / signIns.seconds,
    cpu: ((await service.cpu()) - before) / signIns.requests,
    mongod: ((await service.mongodCpu()) - mongodBefore) / signIns.requests,
    loopP50: p50,
    loopP99: p99,
    loopMax: max,
    trivialP50: trivial.p50,
    trivialP99: trivial.p99
  }
}

function print(alone: { perSecond: number; cpu: number }[], storms: Record<string, Storm[]>): void {
  const middle = (name: string, figure: keyof Storm) => median(storms[name]!.map((storm) => storm[figure]))
  const rows = Object.keys(storms).map((name) => ({
    service: name,
    'sign-ins/s': middle(name, 'perSecond'),
    'CPU-s of 1,000': middle(name, 'cpu') * 1000,
    "MongoDB's": middle(name, 'mongod') * 1000,
    'loop delay p50 ms': middle(name, 'loopP50'),
    'p99 ms': middle(name, 'loopP99'),
    'max ms': middle(name, 'loopMax'),
    'GET /health p50 ms': middle(name, 'trivialP50'),
    'its p99 ms': middle(name, 'trivialP99')
  }))
  const toKoa = (figure: keyof Storm) =>
    median(storms.Moult!.map((storm, round) => storm[figure] / storms.Koa![round]![figure]))
  const hashes = median(alone.map(({ perSecond }) => perSecond))
  const hashCpu = median(alone.map(({ cpu }) => cpu))

  console.log(`\n## ${inFlight} sign-ins in flight\n\n${table(rows)}\n`)
  console.log(`Argon2id alone: ${hashes.toFixed(1)} hashes/s, ${(hashCpu * 1000).toFixed(1)} CPU-s of 1,000`)
  console.log(
    `of the CPU of a sign-in, the hash takes ${((hashCpu / middle('Moult', 'cpu')) * 100).toFixed(0)} %`
  )
  console.log(goal('sign-ins/s of what Koa does', '≥ 92', toKoa('perSecond') * 100, ' %'))
  console.log(goal("MongoDB's CPU of a sign-in, Moult to Koa", '≤ 1.5', toKoa('mongod')))
  console.log(
    goal('GET /health beside the sign-ins, p99', '≤ 24', middle('Moult', 'trivialP99'), ' ms') +
      ` (Koa: ${middle('Koa', 'trivialP99').toFixed(0)} ms, stock: ${middle('stock', 'trivialP99').toFixed(0)} ms)`
  )
}
