import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient, type Db } from 'mongodb'
import { findMongod } from '../../src/dev/mongod/binary.js'
import { freePort, launchMongod, replicaSet } from '../../src/dev/mongod/process.js'
import { becomePrimary } from '../../src/dev/mongod/replica-set.js'
import { startApp } from './app.js'

export interface BreakableMongod {
  url: string
  /** Ends it as a failure of the power does. */
  kill(): Promise<void>
  /** Ends it as its owner does. */
  shutDown(): Promise<void>
  /** Starts it again, on the same port and data. */
  restart(): Promise<void>
  /** Ends it, and starts it with an oplog that begins now: what was to be read from before is lost. */
  loseHistory(): Promise<void>
  /** It takes connections still, and answers none. */
  freeze(): void
  thaw(): void
  /** It is no primary for a few seconds, as in an election. */
  stepDown(): Promise<void>
  /** Waits until it is primary again. */
  becomePrimary(): Promise<void>
  /** Ends it for good, and takes its data away. */
  remove(): Promise<void>
}

/** An app on a mongod of its own. */
export async function startAppOnBreakable(urlOf = (url: string) => url) {
  const mongod = await startBreakableMongod()

  try {
    process.env.MONGODB_URL = urlOf(mongod.url)

    const t = await startApp()

    return {
      mongod,
      t,
      async end() {
        try {
          await t.stop()
        } finally {
          await mongod.remove()
        }
      }
    }
  } catch (error) {
    await mongod.remove()
    throw error
  }
}

export type AppOnBreakable = Awaited<ReturnType<typeof startAppOnBreakable>>

/** A mongod of a test's own, to be broken. */
async function startBreakableMongod(): Promise<BreakableMongod> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'moult-broken-')))
  const dbPath = join(folder, 'mongodb')
  const { path: binary } = await findMongod(() => undefined)
  const port = await freePort()

  await mkdir(dbPath)

  const options = { binary, dbPath, port, logFile: join(folder, 'mongod.log') }
  const launch = async () => {
    const launched = await launchMongod(options)

    await becomePrimary(launched, { dbPath })
    return launched
  }
  const inDatabase = async (name: string, work: (db: Db) => Promise<unknown>) => {
    const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`)

    try {
      await work(client.db(name))
    } finally {
      await client.close()
    }
  }
  let mongod = await launch()
  const signal = (name: NodeJS.Signals) => process.kill(mongod.pid, name)
  const kill = async () => {
    signal('SIGKILL')
    await mongod.exited
  }

  return {
    url: `mongodb://127.0.0.1:${port}/?replicaSet=${replicaSet}`,
    kill,
    shutDown: () => mongod.stop(),
    async restart() {
      mongod = await launch()
    },
    async loseHistory() {
      await mongod.stop()
      // As part of a replica set, it lets nobody write to its oplog
      mongod = await launchMongod({ ...options, replicaSet: false })
      await inDatabase('local', forgetAllButLast)
      await mongod.stop()
      mongod = await launch()
    },
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    stepDown: () =>
      inDatabase('admin', (admin) =>
        admin.command({ replSetStepDown: 3, secondaryCatchUpPeriodSecs: 0, force: true })
      ),
    becomePrimary: () => becomePrimary(mongod, { dbPath }),
    async remove() {
      await kill().catch(() => undefined) // it may have ended already
      await rm(folder, { recursive: true })
    }
  }
}

async function forgetAllButLast(local: Db): Promise<void> {
  const oplog = local.collection('oplog.rs')
  const [last] = await oplog.find().sort({ $natural: -1 }).limit(1).toArray()

  await oplog.deleteMany({ ts: { $lt: last!.ts } })
}
