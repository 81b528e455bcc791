import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { findMongod } from '../../src/dev/mongod-binary.js'
import { freePort, launchMongod, replicaSet } from '../../src/dev/mongod-process.js'
import { becomePrimary } from '../../src/dev/replica-set.js'

export interface BreakableMongod {
  url: string
  /** Ends it as a failure of the power does. */
  kill(): Promise<void>
  /** Ends it as its owner does. */
  shutDown(): Promise<void>
  /** Starts it again, on the same port and data. */
  restart(): Promise<void>
  /** It takes connections still, and answers none. */
  freeze(): void
  thaw(): void
  /** It is no primary for a few seconds, as in an election. */
  stepDown(): Promise<void>
  /** Ends it for good, and takes its data away. */
  remove(): Promise<void>
}

/** A mongod of a test's own, to be broken. */
export async function startBreakableMongod(): Promise<BreakableMongod> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'moult-broken-')))
  const dbPath = join(folder, 'mongodb')
  const { path: binary } = await findMongod(() => undefined)
  const port = await freePort()

  await mkdir(dbPath)

  const launch = async () => {
    const launched = await launchMongod({ binary, dbPath, port, logFile: join(folder, 'mongod.log') })

    await becomePrimary(launched, dbPath)
    return launched
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
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    async stepDown() {
      const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`)

      await client.db('admin').command({ replSetStepDown: 3, secondaryCatchUpPeriodSecs: 0, force: true })
      await client.close()
    },
    async remove() {
      await kill()
      await rm(folder, { recursive: true })
    }
  }
}
