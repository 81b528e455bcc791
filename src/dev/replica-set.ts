import { MongoClient, MongoServerError, type Db, type Document } from 'mongodb'
import { setTimeout as sleep } from 'node:timers/promises'
import type { MongodProcess } from './mongod-process.js'

const name = 'moult'
const notYetInitialized = 94 // MongoDB's error codes
const alreadyInitialized = 23
const patience = 60_000 // ms: recovering a large database after a kill takes a while

/**
 * Makes a mongod that has just been launched the primary of its own replica set: configures it at the first
 * start, and again when its port is another than last time, as the configuration in the data names it.
 *
 * @throws when the mongod ends meanwhile, when the port answers for another folder, or when it takes too long
 */
export async function becomePrimary(mongod: MongodProcess, dbPath: string): Promise<void> {
  const work = withAdmin(mongod.port, async (admin) => {
    // never configure a server that is not ours
    if ((await dbPathOf(admin)) !== dbPath) throw new Error(`another MongoDB answers on port ${mongod.port}`)
    const deadline = Date.now() + patience
    while (!(await isPrimary(admin))) {
      if (Date.now() > deadline) throw new Error(`it was not ready within ${patience / 1000} s`)
      await configure(admin, `127.0.0.1:${mongod.port}`)
      await sleep(20)
    }
  })
  await Promise.race([work, mongod.failed])
}

/** Whether the mongod on this port of this machine keeps its data in `dbPath`. */
export async function isMongodOf(dbPath: string, port: number): Promise<boolean> {
  try {
    return await withAdmin(port, async (admin) => (await dbPathOf(admin)) === dbPath)
  } catch {
    return false // nothing answers there, or something else does
  }
}

async function withAdmin<T>(port: number, work: (admin: Db) => Promise<T>): Promise<T> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
    serverSelectionTimeoutMS: 5000,
    connectTimeoutMS: 5000
  })
  try {
    return await work(client.db('admin'))
  } finally {
    await client.close()
  }
}

async function isPrimary(admin: Db): Promise<boolean> {
  const { isWritablePrimary } = await admin.command({ hello: 1 })
  return isWritablePrimary === true
}

async function dbPathOf(admin: Db): Promise<string | undefined> {
  const { parsed } = (await admin.command({ getCmdLineOpts: 1 })) as {
    parsed?: { storage?: { dbPath?: string } }
  }
  return parsed?.storage?.dbPath
}

async function configure(admin: Db, host: string): Promise<void> {
  const config = await currentConfig(admin)
  if (!config) {
    const initial = { _id: name, members: [{ _id: 0, host }] }
    await admin.command({ replSetInitiate: initial }).catch(ignore(alreadyInitialized))
  } else if (config.members[0]?.host !== host) {
    const moved = { ...config, version: config.version + 1, members: [{ ...config.members[0], host }] }
    await admin.command({ replSetReconfig: moved, force: true })
  }
}

interface ReplicaSetConfig extends Document {
  version: number
  members: { host: string }[]
}

async function currentConfig(admin: Db): Promise<ReplicaSetConfig | undefined> {
  const answer = await admin.command({ replSetGetConfig: 1 }).catch(ignore(notYetInitialized))
  return answer?.config as ReplicaSetConfig | undefined
}

function ignore(code: number) {
  return (error: unknown): undefined => {
    if (!(error instanceof MongoServerError && error.code === code)) throw error
  }
}
