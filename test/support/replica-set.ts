import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient, type Db } from 'mongodb'
import { findMongod } from '../../src/dev/mongod/binary.js'
import { freePort, launchMongod, replicaSet, type MongodProcess } from '../../src/dev/mongod/process.js'
import { poll } from './socket.js'

export interface Member {
  port: number
  /** Ends it as a failure of the power does. */
  kill(): Promise<void>
  /** Starts it again, on the same port and data. */
  restart(): Promise<void>
  /** It takes connections still, and answers none. */
  freeze(): void
  thaw(): void
  /** The state of a member: PRIMARY, SECONDARY, … ; undefined where it does not answer. */
  state(): Promise<string | undefined>
}

export interface ReplicaSet {
  /** Names one member: the driver finds the others by it. */
  url: string
  members: Member[]
  /** Waits until there is one, and the others follow it. */
  primary(): Promise<Member>
  /** Has the primary hand over to another member, as its owner does. Returns the one that was. */
  stepDown(): Promise<Member>
  /** Ends it for good, and takes its data away. */
  remove(): Promise<void>
}

// ms: a primary that does not answer is replaced after about one second, where it is ten by default
const settings = { electionTimeoutMillis: 1000, heartbeatIntervalMillis: 200 }

/** Three mongods of a test's own that replicate each other, to be broken. */
export async function startReplicaSet(): Promise<ReplicaSet> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'moult-replica-set-')))
  const { path: binary } = await findMongod(() => undefined)
  const starting = ['a', 'b', 'c'].map((name) => startMember({ binary, dbPath: join(folder, name) }))
  const started = await Promise.allSettled(starting)
  const members = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const remove = async () => {
    await Promise.all(members.map((member) => member.kill()))
    await rm(folder, { recursive: true })
  }

  try {
    await Promise.all(starting) // one that did not start says why
    await inAdmin(members[0]!, (admin) =>
      admin.command({
        replSetInitiate: {
          _id: replicaSet,
          members: members.map(({ port }, _id) => ({ _id, host: `127.0.0.1:${port}` })),
          settings
        }
      })
    )
    await primaryOf(members)
  } catch (error) {
    await remove()
    throw error
  }

  return {
    url: `mongodb://127.0.0.1:${members[0]!.port}/?replicaSet=${replicaSet}`,
    members,
    primary: () => primaryOf(members),
    async stepDown() {
      const primary = await primaryOf(members)

      await inAdmin(primary, (admin) =>
        admin.command({ replSetStepDown: 10, secondaryCatchUpPeriodSecs: 5, force: true })
      )
      return primary
    },
    remove
  }
}

async function startMember({ binary, dbPath }: { binary: string; dbPath: string }): Promise<Member> {
  const port = await freePort()

  await mkdir(dbPath)

  const launch = () => launchMongod({ binary, dbPath, port, logFile: `${dbPath}.log` })
  let mongod: MongodProcess = await launch()
  let hasEnded = false
  const signal = (name: NodeJS.Signals) => process.kill(mongod.pid, name)

  const member: Member = {
    port,
    async kill() {
      if (!hasEnded) {
        hasEnded = true
        signal('SIGKILL')
        await mongod.exited
      }
    },
    async restart() {
      mongod = await launch()
      hasEnded = false
    },
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    state: () => (hasEnded ? Promise.resolve(undefined) : stateOf(member))
  }

  return member
}

/** Waits for a primary, and until each member that runs follows it. */
function primaryOf(members: Member[]): Promise<Member> {
  const look = async () => {
    const states = await Promise.all(members.map((member) => member.state()))
    const isSettled = states.every((state) => state === undefined || /^(PRIMARY|SECONDARY)$/.test(state))

    return isSettled && states.filter((state) => state === 'PRIMARY').length === 1
      ? members[states.indexOf('PRIMARY')]
      : undefined
  }

  return poll(look, 'a primary', 30_000)
}

async function stateOf(member: Member): Promise<string | undefined> {
  try {
    const status = await inAdmin(member, (admin) => admin.command({ replSetGetStatus: 1 }))

    return (status.members as { self?: boolean; stateStr: string }[]).find(({ self }) => self)?.stateStr
  } catch {
    return undefined
  }
}

async function inAdmin<T>({ port }: Member, work: (admin: Db) => Promise<T>): Promise<T> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`, {
    serverSelectionTimeoutMS: 3000,
    socketTimeoutMS: 10_000
  })

  try {
    return await work(client.db('admin'))
  } finally {
    await client.close()
  }
}
