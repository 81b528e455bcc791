import { ObjectId } from 'mongodb'
import { setTimeout as after } from 'node:timers/promises'
import { connect, type TestSocket } from '../support/socket.js'
import { decoded } from '../support/tokens.js'
import { at, goal, table } from './harness/figures.js'
import { startDriver } from './harness/load.js'
import { insertUsers, type Tokens } from './harness/minted.js'
import { buildPrograms, databaseOf, startService, type Service } from './harness/services.js'

// What 1,000 changes of users a second cost each of 1, 2 and 4 instances, which all hear them, and how soon a session that
// ended elsewhere ends there meanwhile. And how many authenticated calls 1, 2 and 4 workers answer.

const quick = process.argv.includes('--quick')
const counts = [1, 2, 4]
const users = 2000
const ended = quick ? 20 : 100 // sessions, at each instance
const changesPerSecond = 1000
const step = 50 // ms between two batches of changes
const interval = quick ? 50 : 100 // ms between two sessions that end
const duration = quick ? 1500 : 5000 // ms of calls

await buildPrograms()
await streams()
await workers()

async function streams(): Promise<void> {
  const rows = []

  for (const count of counts) {
    const url = databaseOf('Moult')
    const services: Service[] = []

    try {
      for (let index = 0; index < count; index++) {
        services.push(await startService('Moult', url))
      }

      rows.push({ instances: String(count), ...(await changing(services)) })
    } finally {
      await services[0]?.db.dropDatabase()
      for (const service of services) {
        await service.stop()
      }
    }
  }

  const worst = Math.max(...rows.map((row) => row['p99 ms']))

  console.log(`\n## ${changesPerSecond} changes a second\n\n${table(rows)}\n`)
  console.log(goal('a session that ended elsewhere ends, p99', '≤ 1000', worst, ' ms'))
}

/** Changes users without a pause, ends the sessions of others, and says what that took. */
async function changing(services: Service[]) {
  const [{ db }] = services as [Service]
  const collection = db.collection('users')
  const tokens = await insertUsers(services[0]!, { users, sessions: 1, tokens: ended * services.length })
  const owners = tokens.map(ownerOf)
  const others = await collection
    .find({ _id: { $nin: owners.map(({ userId }) => userId) } }, { projection: { _id: 1 } })
    .toArray()
  const sockets: TestSocket[] = []
  const lags: number[] = []
  let changes = 0
  let isOver = false

  for (const [index, { accessToken }] of tokens.entries()) {
    const socket = await connect(services[index % services.length]!.address)

    await socket.call('create', 'authentication', { strategy: 'jwt', accessToken })
    sockets.push(socket)
  }

  const change = async () => {
    for (const start = performance.now(); !isOver; changes += (changesPerSecond * step) / 1000) {
      const updates = Array.from({ length: (changesPerSecond * step) / 1000 }, (_, index) => ({
        updateOne: {
          filter: { _id: others[(changes + index) % others.length]!._id },
          update: { $set: { name: `Somebody ${changes + index}` } }
        }
      }))

      await collection.bulkWrite(updates, { ordered: false })
      await after(Math.max(0, start + (changes / changesPerSecond) * 1000 - performance.now()))
    }
  }

  const before = await cpuOf(services)
  const changed = change()

  await Promise.all(
    owners.map(async ({ userId, sid }, index) => {
      await after(Math.floor(index / services.length) * interval)

      const asked = performance.now()
      const removed = new Promise((resolve) => sockets[index]!.socket.once('sessions removed', resolve))

      await collection.updateOne({ _id: userId }, { $pull: { sessions: { id: sid } } } as object)
      await removed
      lags.push(performance.now() - asked)
    })
  )
  isOver = true
  await changed

  const now = await cpuOf(services)
  const per = (figure: keyof typeof now) => ((now[figure] - before[figure]) / changes) * 1000

  lags.sort((a, b) => a - b)
  sockets.forEach((socket) => socket.close())

  return {
    'CPU-s per 1,000, each': per('services') / services.length,
    "MongoDB's": per('mongod'),
    'p50 ms': at(lags, 0.5),
    'p99 ms': at(lags, 0.99)
  }
}

function ownerOf({ accessToken }: Tokens) {
  const { sub, sid } = decoded(accessToken).claims

  return { userId: new ObjectId(String(sub)), sid }
}

async function cpuOf(services: Service[]) {
  const each = await Promise.all(services.map((service) => service.cpu()))

  return { services: each.reduce((sum, cpu) => sum + cpu, 0), mongod: await services[0]!.mongodCpu() }
}

async function workers(): Promise<void> {
  const driver = startDriver()
  const rows = []

  try {
    for (const count of counts) {
      const service = await startService('Moult', databaseOf('Moult'), { WORKERS: String(count) })

      try {
        await driver.adopt(
          service.address,
          await insertUsers(service, { users: 64, sessions: 1, tokens: 64 })
        )

        const load = { kind: 'read', address: service.address, sessions: 64 } as const

        await driver.run({ ...load, duration })

        const { requests, seconds, p50, p99 } = await driver.run({ ...load, duration })

        rows.push({ workers: String(count), 'requests/s': requests / seconds, 'p50 ms': p50, 'p99 ms': p99 })
      } finally {
        await service.db.dropDatabase()
        await service.stop()
      }
    }
  } finally {
    driver.stop()
  }

  console.log(`\n## Authenticated GETs at 64 sessions, by workers\n\n${table(rows)}`)
}
