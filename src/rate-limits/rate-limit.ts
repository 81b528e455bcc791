import { createHmac, type KeyObject } from 'node:crypto'
import {
  RLWrapperTimeouts,
  RateLimiterMongo,
  RateLimiterRes,
  type RateLimiterMemory
} from 'rate-limiter-flexible'
import type { Database } from '../database/database.js'
import { toMilliseconds } from '../refresh-token/internal.js'
import { rateLimitsCollection } from './indexes.js'
import { limiterInMemory } from './memory-limit.js'
import type { Limit } from './settings.js'
import { tooManyRequests } from './too-many-requests.js'

const countTimeout = 2000 // ms for the database: a sign-in has 12 s in all, and is counted twice

export interface RateLimitOptions extends Limit {
  database: Database
  /** The key that counted values are hashed with. */
  key: KeyObject
  /** Whether values over the limit are kept in memory too, so that a flood doesn't reach the database. */
  blockInMemory?: boolean
}

/** An attempt that was counted. */
export interface Taken {
  value: string
  /** When its window ends, ms since 1970. */
  until: number
  /** Whether it was counted in memory only. */
  inMemory: boolean
}

/**
 * Counts attempts by a value (an account, an address) in windows that begin with the first attempt: in MongoDB, for all
 * instances together, or in the memory of each while that can't be reached. Values are stored as keyed hashes.
 */
export class RateLimit {
  readonly #shared: RLWrapperTimeouts
  readonly #own: RateLimiterMemory
  readonly #hashKey: KeyObject
  readonly #name: string

  constructor(name: string, { limit, per, database, key, blockInMemory = false }: RateLimitOptions) {
    const duration = toMilliseconds(per)! / 1000
    const options = { keyPrefix: name, points: limit, duration }
    const limiter = new RateLimiterMongo({
      ...options,
      storeClient: database,
      tableName: rateLimitsCollection,
      disableIndexesCreation: true, // rateLimitIndexes are created before the first call
      ...(blockInMemory && { inMemoryBlockOnConsumed: limit + 1 })
    })

    this.#shared = new RLWrapperTimeouts({ limiter, timeoutMs: countTimeout })
    this.#own = limiterInMemory(limit, per)
    this.#hashKey = key
    this.#name = name
  }

  /** Counts an attempt, in one atomic update. @throws TooManyRequests with `data.retryAfter` (s) over the limit */
  async take(value: string): Promise<Taken> {
    try {
      const { msBeforeNext, inMemory } = await this.#consume(this.#hashed(value))

      return { value, until: Date.now() + msBeforeNext, inMemory }
    } catch (error) {
      throw error instanceof RateLimiterRes ? tooManyRequests(error.msBeforeNext) : error
    }
  }

  /** Uncounts an attempt while its window is open: in the next window, it would be a free attempt. */
  async giveBack({ value, until, inMemory }: Taken): Promise<void> {
    if (!inMemory && Date.now() < until - countTimeout) {
      await this.#shared.reward(this.#hashed(value)).catch(ignoreFailure)
    }
  }

  /** Resets the count. */
  async clear(value: string): Promise<void> {
    await this.#own.delete(this.#hashed(value))
    await this.#shared.delete(this.#hashed(value)).catch(ignoreFailure)
  }

  async #consume(key: string): Promise<{ msBeforeNext: number; inMemory: boolean }> {
    try {
      const { msBeforeNext } = await this.#shared.consume(key)

      return { msBeforeNext, inMemory: false }
    } catch (error) {
      if (error instanceof RateLimiterRes) {
        throw error
      }

      const { msBeforeNext } = await this.#own.consume(key)

      return { msBeforeNext, inMemory: true }
    }
  }

  #hashed(value: string): string {
    return createHmac('sha256', this.#hashKey).update(`rate limit ${this.#name} ${value}`).digest('base64url')
  }
}

/** Ignores a failure to lower a count: a count too many is not worth failing a sign-in. */
const ignoreFailure = () => {}
