import {
  type BulkWriteResult,
  MongoAPIError,
  MongoBulkWriteError,
  type MongoError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoNotConnectedError,
  MongoOperationTimeoutError,
  MongoServerError
} from 'mongodb'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isUnreachable, unavailable } from '../../src/refresh-token/database-errors.js'
import { Refused, type RefusalReason } from '../../src/refresh-token/errors.js'

/** What a bulk write throws for an error, and what the server had answered. */
const bulkError = (error: object, answered: object) =>
  new MongoBulkWriteError(
    error as Error,
    { getWriteConcernError: () => undefined, ...answered } as BulkWriteResult
  )

function labelled(error: MongoError, label: string): MongoError {
  error.addErrorLabel(label)
  return error
}

describe('an error of the driver', () => {
  for (const error of [
    new MongoNetworkError('connection to 10.0.0.1:27017 closed'),
    new MongoNetworkTimeoutError('timed out'),
    new MongoNotConnectedError('not connected'),
    new MongoOperationTimeoutError('timed out'),
    // a primary that steps down answers, but can't do it now
    labelled(new MongoServerError({ message: 'not primary', code: 10107 }), 'RetryableWriteError'),
    labelled(new MongoServerError({ message: 'try again', code: 1 }), 'RetryableWriteError'),
    // What mongos answers that reaches no primary of a shard
    new MongoServerError({ message: 'could not find host', code: 133 }),
    new MongoServerError({ message: 'unreachable', code: 6 }),
    Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }),
    bulkError(new MongoNetworkError('connection closed'), {}),
    bulkError({ message: 'not acknowledged', code: 64 }, { getWriteConcernError: () => ({ code: 64 }) })
  ]) {
    it(`says that the database is away: ${error.name} ${error.message}`, () => {
      assert.equal(isUnreachable(error), true)
    })
  }

  for (const error of [
    new MongoServerError({ message: 'E11000 duplicate key', code: 11000 }),
    new MongoServerError({ message: 'unknown operator: $x', code: 2 }),
    bulkError({ message: 'Document failed validation', code: 121 }, {}),
    new MongoAPIError('an option that is not supported'),
    new Error('MongoNetworkError'),
    'MongoNetworkError',
    undefined
  ]) {
    it(`says something else: ${String(error)}`, () => {
      assert.equal(isUnreachable(error), false)
    })
  }

  it('is answered with a 503 that holds no address', () => {
    const { code, name, message } = unavailable().toJSON()

    assert.deepEqual([code, name], [503, 'Unavailable'])
    assert.doesNotMatch(message, /\d/)
  })
})

describe('a refusal', () => {
  for (const reason of ['invalid', 'expired', 'revoked', 'reused', 'disabled'] satisfies RefusalReason[]) {
    it(`is a 401 with its reason and a sentence: ${reason}`, () => {
      const { code, name, message, data } = new Refused(reason).toJSON()

      assert.deepEqual([code, name, data], [401, 'NotAuthenticated', { reason }])
      assert.match(message, /^The .+/)
    })
  }
})
