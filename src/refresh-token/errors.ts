import { NotAuthenticated, Unavailable } from '@feathersjs/errors'

/** Why a credential was refused: the `data.reason` of a 401. */
export type RefusalReason = 'invalid' | 'expired' | 'revoked' | 'reused' | 'disabled'

// One fixed sentence a reason: whatever was found inside, nothing of the credential gets out.
const sentences: Record<RefusalReason, string> = {
  invalid: 'The token is not valid',
  expired: 'The token or its session has expired',
  revoked: 'The session has been ended',
  reused: 'The refresh token has been used before, so its session has been ended',
  disabled: 'The account is disabled'
}

/** A credential that was refused: 401 `NotAuthenticated` with a stable `data.reason`. */
export class Refused extends NotAuthenticated {
  declare readonly data: { reason: RefusalReason }

  constructor(reason: RefusalReason) {
    super(sentences[reason], { reason })
  }
}

/** A setting that can't be used. The message is one sentence: the key, what is wrong, what to write instead. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}

// Everything the driver throws when no server could be reached, or none answered in time.
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

// Codes of a server that is no primary, or stops to be one, and of a router that reaches none: no answer to the request
// (the retryable errors of the specifications of MongoDB's drivers, and that no server fits)
const notPrimary = new Set<unknown>([
  6, 7, 89, 91, 133, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436
])

// What Node throws where the driver writes to a server that has just hung up; the service talks to nothing else.
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
 * Whether an error that came of a call to MongoDB says that the database can't be reached (now), rather than that the
 * request was wrong. By what it says, not by its class: an app may have the driver twice.
 */
export function isUnreachable(error: unknown): boolean {
  const { name, code, errorLabels } = (error ?? {}) as Record<'name' | 'code' | 'errorLabels', unknown>

  return (
    unreachable.has(name) ||
    brokenSocket.has(code) ||
    isNotPrimary(code) ||
    [errorLabels].flat().includes('RetryableWriteError')
  )
}

/** Whether the code of a server's error says that another server has to be asked. */
export function isNotPrimary(code: unknown): boolean {
  return notPrimary.has(code)
}

/** 503: the database can't be reached. The driver's message stays inside, it may hold addresses. */
export function unavailable(): Unavailable {
  return new Unavailable('The database can not be reached, try again later')
}
