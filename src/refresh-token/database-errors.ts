import { Unavailable } from '@feathersjs/errors'
import type { BulkWriteResult } from 'mongodb'

// The errors that the driver throws when no server can be reached, or none answers in time
const unreachable = new Set<unknown>([
  'MongoNetworkError',
  'MongoNetworkTimeoutError',
  'MongoServerSelectionError',
  'MongoPoolClearedError',
  'MongoPoolClosedError',
  'MongoWaitQueueTimeoutError',
  'MongoNotConnectedError',
  'MongoServerClosedError',
  'MongoStalePrimaryError',
  'MongoTopologyClosedError',
  'MongoClientClosedError',
  'MongoExpiredSessionError',
  'MongoOperationTimeoutError',
  'MongoWriteConcernError',
  'PoolClearedOnNetworkError'
])

// Error codes of a server that is not, or no longer, the primary, and of a router that finds no primary: the retryable
// errors of MongoDB's driver specifications, and FailedToSatisfyReadPreference
const notPrimary = new Set<unknown>([
  6, 7, 89, 91, 133, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436
])

// What Node.js throws when the driver writes to a server that has just closed the connection
const brokenSocket = new Set<unknown>([
  'EPIPE',
  'ECONNRESET',
  'ECONNREFUSED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END'
])

/**
 * Whether an error of a MongoDB call means that the database can't be reached, rather than that the request was wrong.
 * Errors are recognised by name and code rather than by class, since an app may have two copies of the driver.
 */
export function isUnreachable(error: unknown): boolean {
  const { name, code, errorLabels, result } = (error ?? {}) as Record<string, unknown>

  return (
    unreachable.has(name) ||
    (name === 'MongoBulkWriteError' && (code === undefined || isUnacknowledged(result))) ||
    brokenSocket.has(code) ||
    isNotPrimary(code) ||
    [errorLabels].flat().includes('RetryableWriteError')
  )
}

/** The result of a bulk write hides what it failed for: an error of the driver has no code, one of the write concern any. */
const isUnacknowledged = (result: unknown): boolean =>
  Boolean((result as Partial<BulkWriteResult> | undefined)?.getWriteConcernError?.())

/** Whether a server's error code means that it is not the primary. */
export function isNotPrimary(code: unknown): boolean {
  return notPrimary.has(code)
}

/** A 503 for an unreachable database. It leaves out the driver's message, which may hold addresses. */
export function unavailable(): Unavailable {
  return new Unavailable('The database can not be reached, try again later')
}

/** Options of writes that must survive the loss of a server: the end of a session, say. */
export const durable = { writeConcern: { w: 'majority', journal: true } } as const

/**
 * Runs an operation on the database.
 *
 * @throws Unavailable when the database can't be reached
 */
export async function reach<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation()
  } catch (error) {
    throw isUnreachable(error) ? unavailable() : error
  }
}

/** Work that is done at the first call. If it fails, the next call tries again. */
export function doneOnce<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined

  return () => {
    done ??= work().catch((error: unknown) => {
      done = undefined
      throw error
    })

    return done
  }
}
