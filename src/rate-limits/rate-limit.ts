import { TooManyRequests } from '@feathersjs/errors'
import { createHmac, type KeyObject } from 'node:crypto'
import { RLWrapperTimeouts, RateLimiterMemory, RateLimiterMongo, RateLimiterRes } from 'rate-limiter-flexible'
import type { Database } from '../mongodb.js'
import { toMilliseconds } from '../refresh-token/duration.js'
import { rateLimitsCollection, type Limit } from './settings.js'

const patience = 2000 // ms for the database to count: a sign-in has 12 s in all, and two limits
const longestInMemory = 24 * 60 * 60 // s: a timer can't be set for more than 24 days

export interface RateLimitOptions extends Limit {
  database: Database
  /** What the counted values are hashed with. */
  key: KeyObject
  /** Whether a value that is over the limit is remembered here too, so that a flood of it spares the database. */
  blockInMemory?: boolean
}

/** One attempt that was counted. */
export interface Taken {
  value: string
  /** When the count it is part of ends, ms since 1970. */
  until: number
  /** Counted in memory only. */
  alone: boolean
}

/** Counts attempts in the memory of this process: of what can't be guessed, only the work is to be bounded. */
export class OwnRateLimit {
  readonly #limiter: RateLimiterMemory

  constructor({ limit, per }: Limit) {
    this.#limiter = limiterInMemory(limit, per)
  }

  /** @throws TooManyRequests with `data.retryAfter` (s) when it is one too many */
  async take(value: string): Promise<void> {
    try {
      await this.#limiter.consume(value)
    } catch (error) {
      throw error instanceof RateLimiterRes ? tooManyRequests(error.msBeforeNext) : error
    }
  }
}

/**
 * Counts attempts by a value (an account, an address) in windows that begin with the first attempt. In MongoDB, for all
 * instances together; while that is away, in the memory of each. What is counted is stored as a keyed hash.
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
      disableIndexesCreation: true, // the database makes them before the first call
      ...(blockInMemory && { inMemoryBlockOnConsumed: limit + 1 })
    })

    this.#shared = new RLWrapperTimeouts({ limiter, timeoutMs: patience })
    this.#own = limiterInMemory(limit, per)
    this.#hashKey = key
    this.#name = name
  }

  /** Counts an attempt, in one atomic update. @throws TooManyRequests with `data.retryAfter` (s) when it is one too many */
  async take(value: string): Promise<Taken> {
    try {
      const { msBeforeNext, alone } = await this.#consume(this.#hashed(value))

      return { value, until: Date.now() + msBeforeNext, alone }
    } catch (error) {
      throw error instanceof RateLimiterRes ? tooManyRequests(error.msBeforeNext) : error
    }
  }

  /** Counts an attempt no more. Its window has to be open still: in the next one it would be one attempt for free. */
  async giveBack({ value, until, alone }: Taken): Promise<void> {
    if (!alone && Date.now() < until - patience) {
      await this.#shared.reward(this.#hashed(value)).catch(stayCounted)
    }
  }

  /** Forgets all attempts so far. */
  async clear(value: string): Promise<void> {
    await this.#own.delete(this.#hashed(value))
    await this.#shared.delete(this.#hashed(value)).catch(stayCounted)
  }

  async #consume(key: string): Promise<{ msBeforeNext: number; alone: boolean }> {
    try {
      const { msBeforeNext } = await this.#shared.consume(key)

      return { msBeforeNext, alone: false }
    } catch (error) {
      if (error instanceof RateLimiterRes) {
        throw error
      }

      const { msBeforeNext } = await this.#own.consume(key)

      return { msBeforeNext, alone: true }
    }
  }

  #hashed(value: string): string {
    return createHmac('sha256', this.#hashKey).update(`rate limit ${this.#name} ${value}`).digest('base64url')
  }
}

function limiterInMemory(points: number, per: Limit['per']): RateLimiterMemory {
  return new RateLimiterMemory({ points, duration: Math.min(toMilliseconds(per)! / 1000, longestInMemory) })
}

/** What the database can't do now, it does not: a count too many is not worth a failed sign-in. */
const stayCounted = () => {}

/** @param wait ms until the next attempt is counted anew */
export function tooManyRequests(wait: number): TooManyRequests {
  return new TooManyRequests('Too many attempts, try again later', {
    retryAfter: Math.max(1, Math.ceil(wait / 1000))
  })
}
