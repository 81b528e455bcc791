import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChangeStream, Collection, Db } from 'mongodb'
import { ok, wrong, type Finding } from './finding.js'

const timeout = 3000 // ms, for a write, and for its event to arrive
const noChangeStreams = 40573 // MongoDB's error code

/** How to fix a single server. */
export const makeReplicaSet =
  'start mongod with --replSet rs0, and call rs.initiate() once: one node is enough'

/** Writes as the service does: acknowledged by the majority, and journaled. */
export async function checkWrites(db: Db): Promise<Finding> {
  return withProbe(db, async (probe) => {
    const start = performance.now()

    try {
      await probe.insertOne(
        { at: new Date() },
        { writeConcern: { w: 'majority', journal: true, wtimeoutMS: timeout } }
      )
    } catch (error) {
      if ((error as Error).name === 'MongoWriteConcernError') {
        return wrong(
          'writes',
          'the majority of the replica set does not acknowledge a write',
          'start the members that are down: most of those that hold data have to run'
        )
      }

      throw error
    }

    return ok('writes', `acknowledged by the majority after ${since(start)} ms`)
  })
}

/** Opens a change stream, writes, and waits for the event. */
export async function checkChangeStream(db: Db): Promise<Finding> {
  return withProbe(db, async (probe) => {
    const stream = probe.watch([], { maxAwaitTimeMS: 500 })

    try {
      await stream.tryNext() // opens it

      const start = performance.now()

      await probe.insertOne({ at: new Date() }, { writeConcern: { w: 1 } })
      return (await receives(stream))
        ? ok('change stream', `tells of a write after ${since(start)} ms`)
        : wrong(
            'change stream',
            `reports no write within ${timeout / 1000} s`,
            'start the members of the replica set that are down or behind'
          )
    } catch (error) {
      if ((error as { code?: unknown }).code === noChangeStreams) {
        return wrong('change stream', 'there is none without a replica set', makeReplicaSet)
      }

      throw error
    } finally {
      await stream.close().catch(() => undefined)
    }
  })
}

async function receives(stream: ChangeStream): Promise<boolean> {
  const deadline = performance.now() + timeout

  while (performance.now() < deadline) {
    if (await stream.tryNext()) {
      return true
    }

    await sleep(10)
  }

  return false
}

/** Works on a temporary collection. */
async function withProbe<T>(db: Db, work: (probe: Collection) => Promise<T>): Promise<T> {
  const probe = db.collection(`moultCheck-${randomUUID()}`)

  try {
    return await work(probe)
  } finally {
    await probe.drop({ writeConcern: { w: 1 } }).catch(() => undefined)
  }
}

const since = (start: number): number => Math.round(performance.now() - start)
