import { MongoClient, MongoServerError, type Db } from 'mongodb'
import { setTimeout as sleep } from 'node:timers/promises'
import { user, type Place } from './place.js'
import { replicaSet, type MongodProcess } from './process.js'

// MongoDB's error codes
const alreadyInitialized = 23
const userExists = 51003
const readyTimeout = 60_000 // ms: recovering a large database after a kill takes a while

/** The data folder of a mongod, and the password that its clients need. */
type Data = Pick<Place, 'dbPath' | 'password'>

/**
 * Waits until a mongod is the primary of its replica set, which is initiated at the first start.
 *
 * @throws if the mongod ends meanwhile, another mongod answers on its port, or it takes too long
 */
export async function becomePrimary(mongod: MongodProcess, place: Data): Promise<void> {
  await withOwn(mongod, place, async (client) => {
    const admin = client.db('admin')
    const deadline = Date.now() + readyTimeout
    while (!(await isPrimary(admin))) {
      if (Date.now() > deadline) throw new Error(`it was not ready within ${readyTimeout / 1000} s`)
      await initiate(admin, addressOf(mongod))
      await sleep(20)
    }
    if (place.password) await addUser(admin, place.password)
  })
}

/** Adds the user of the service, who may work with its database only. */
async function addUser(admin: Db, pwd: string): Promise<void> {
  const roles = [
    { role: 'dbOwner', db: 'moult' },
    { role: 'clusterMonitor', db: 'admin' } // to tell which data a mongod keeps
  ]
  try {
    await admin.command({ createUser: user, pwd, roles })
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === userExists)) throw error
    await admin.command({ updateUser: user, pwd, roles })
  }
}

/**
 * Changes the port in the stored configuration of the replica set. The mongod must be running without `--replSet`:
 * otherwise it would look for itself on the old port first, and wait for whatever listens there now.
 */
export async function changeAddress(mongod: MongodProcess, place: Data): Promise<void> {
  await withOwn(mongod, place, async (client) => {
    const configs = client.db('local').collection('system.replset')
    await configs.updateOne({}, { $set: { 'members.0.host': addressOf(mongod) } })
  })
}

/** Whether the mongod at this URL keeps its data in `dbPath`. */
export async function isMongodOf(dbPath: string, url: string): Promise<boolean> {
  try {
    return await withClient(url, async (client) => (await dbPathOf(client)) === dbPath)
  } catch {
    return false // nothing answers there, or something else does
  }
}

/** Works with a mongod once it has proved to be the right one, so that another's data is never changed. */
async function withOwn(
  mongod: MongodProcess,
  { dbPath, password }: Data,
  work: (client: MongoClient) => Promise<void>
): Promise<void> {
  // With the key file, one can log in before there are users
  const login = password === undefined ? '' : `__system:${password}@`
  const done = withClient(`mongodb://${login}127.0.0.1:${mongod.port}/?authSource=local`, async (client) => {
    if ((await dbPathOf(client)) !== dbPath) throw new Error(`another MongoDB answers on port ${mongod.port}`)
    await work(client)
  })
  await Promise.race([done, mongod.failed])
}

async function withClient<T>(url: string, work: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(url, {
    directConnection: true,
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

/** Does nothing if the data already has a configuration, even while it is being loaded. */
async function initiate(admin: Db, host: string): Promise<void> {
  try {
    await admin.command({ replSetInitiate: { _id: replicaSet, members: [{ _id: 0, host }] } })
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === alreadyInitialized)) throw error
  }
}
