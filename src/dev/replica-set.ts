import { MongoClient, MongoServerError, type Db } from 'mongodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { replicaSet, type MongodProcess } from './mongod-process.js'

const alreadyInitialized = 23 // MongoDB's error code
const patience = 60_000 // ms: recovering a large database after a kill takes a while

/**
 * Waits until a mongod that has just been launched is the primary of its own replica set, which it makes at
 * the first start.
 *
 * @throws when the mongod ends meanwhile, when its port answers for another folder, or when it takes too long
 */
export async function becomePrimary(mongod: MongodProcess, dbPath: string): Promise<void> {
  await withOwn(mongod, dbPath, async (client) => {
    const admin = client.db('admin')
    const deadline = Date.now() + patience
    while (!(await isPrimary(admin))) {
      if (Date.now() > deadline) throw new Error(`it was not ready within ${patience / 1000} s`)
      await initiate(admin, addressOf(mongod))
      await sleep(20)
    }
  })
}

/**
 * Tells the data that its replica set is on another port. The mongod has to run without the replica set: with
 * it, it would first look for itself on the old port, and wait for whatever is there now to answer.
 */
export async function changeAddress(mongod: MongodProcess, dbPath: string): Promise<void> {
  await withOwn(mongod, dbPath, async (client) => {
    const configs = client.db('local').collection('system.replset')
    await configs.updateOne({}, { $set: { 'members.0.host': addressOf(mongod) } })
  })
}

/** Whether the mongod on this port of this machine keeps its data in `dbPath`. */
export async function isMongodOf(dbPath: string, port: number): Promise<boolean> {
  try {
    return await withClient(port, async (client) => (await dbPathOf(client)) === dbPath)
  } catch {
    return false // nothing answers there, or something else does
  }
}

/** Works with a mongod until that ends, once it is certain that it is the one: never change another's data. */
async function withOwn(
  mongod: MongodProcess,
  dbPath: string,
  work: (client: MongoClient) => Promise<void>
): Promise<void> {
  const done = withClient(mongod.port, async (client) => {
    if ((await dbPathOf(client)) !== dbPath) throw new Error(`another MongoDB answers on port ${mongod.port}`)
    await work(client)
  })
  await Promise.race([done, mongod.failed])
}

async function withClient<T>(port: number, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
    serverSelectionTimeoutMS: 5000,
    connectTimeoutMS: 5000
  })
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}

function addressOf({ port }: MongodProcess): string {
  return `127.0.0.1:${port}`
}

async function isPrimary(admin: Db): Promise<boolean> {
  const { isWritablePrimary } = await admin.command({ hello: 1 })
  return isWritablePrimary === true
}

async function dbPathOf(client: MongoClient): Promise<string | undefined> {
  const answer = await client.db('admin').command({ getCmdLineOpts: 1 })
  return (answer as { parsed?: { storage?: { dbPath?: string } } }).parsed?.storage?.dbPath
}

/** Does nothing where the data has a configuration, also while that is being loaded. */
async function initiate(admin: Db, host: string): Promise<void> {
  try {
    await admin.command({ replSetInitiate: { _id: replicaSet, members: [{ _id: 0, host }] } })
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === alreadyInitialized)) throw error
  }
}
