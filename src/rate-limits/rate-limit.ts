import { LRUCache } from 'lru-cache'
import { createHmac, type KeyObject } from 'node:crypto'
import {
  RLWrapperTimeouts,
  RateLimiterMongo,
  RateLimiterRes,
  type RateLimiterMemory
} from 'rate-limiter-flexible'
import type { Collection } from 'mongodb'
import type { Database } from '../database/database.js'
import { toMilliseconds } from '../refresh-token/internal.js'
import { rateLimitsCollection } from './indexes.js'
import { limiterInMemory } from './memory-limit.js'
import type { Limit } from './settings.js'
import { tooManyRequests } from './too-many-requests.js'

const countTimeout = 2000 // ms for the database: a sign-in has 12 s in all, and is counted twice
// A sign-in does not wait for the journal to count it: what a failover forgets are the guesses of a moment
const quick = { writeConcern: { w: 1 } }
const mostShares = 10_000 // of values in memory, about 2 MB

export interface RateLimitOptions extends Limit {
  database: Database
  /** The key that counted values are hashed with. */
  key: KeyObject
  /** How many attempts are counted at once, to be made from memory: the rest of the window, if they aren't made. */
  share?: number
  /** Whether values over the limit are kept in memory too, so that a flood doesn't reach the database. */
  blockInMemory?: boolean
}

/** Attempts that were counted at once. */
interface Share extends Omit<Taken, 'value'> {
  left: number
}

/** An attempt that was counted. */
export interface Taken {
  value: string
  /** The count with it. */
  count: number
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
  readonly #counts: Collection
  readonly #limit: number
  readonly #shared: RLWrapperTimeouts
  readonly #own: RateLimiterMemory
  readonly #hashKey: KeyObject
  readonly #name: string
  readonly #share: number
  readonly #shares = new LRUCache<string, Promise<Share>>({ max: mostShares })

  constructor(
    name: string,
    { limit, per, database, key, share = 1, blockInMemory = false }: RateLimitOptions
  ) {
    this.#counts = database.collection(rateLimitsCollection, quick)

    const duration = toMilliseconds(per)! / 1000
    const options = { keyPrefix: name, points: limit, duration }
    const limiter = new RateLimiterMongo({
      ...options,
      storeClient: { collection: () => this.#counts },
      tableName: rateLimitsCollection,
      disableIndexesCreation: true, // rateLimitIndexes are created before the first call
      ...(blockInMemory && { inMemoryBlockOnConsumed: limit + 1 })
    })

    this.#shared = new RLWrapperTimeouts({ limiter, timeoutMs: countTimeout })
    this.#own = limiterInMemory(limit, per)
    this.#hashKey = key
    this.#name = name
    this.#limit = limit
    this.#share = share
  }

  /** Counts an attempt, in one atomic update. @throws TooManyRequests with `data.retryAfter` (s) over the limit */
  async take(value: string): Promise<Taken> {
    const key = this.#hashed(value)
    const share = this.#share > 1 ? await this.#fromShare(key) : await this.#takeShare(key)

    return { value, ...share }
  }

  async #fromShare(key: string): Promise<Share> {
    for (;;) {
      const last = this.#shares.get(key)
      const share = await last

      if (share && share.left > 0 && Date.now() < share.until) {
        share.left--
        return share
      }
      // Of many who find it used up, one takes the next
      if (this.#shares.get(key) === last) {
        const next = this.#takeShare(key)

        this.#shares.set(key, next)
        next.catch(() => this.#shares.delete(key))
      }
    }
  }

  async #takeShare(key: string): Promise<Share> {
    try {
      const { msBeforeNext, consumedPoints, inMemory } = await this.#consume(key)

      return { left: this.#share, count: consumedPoints, until: Date.now() + msBeforeNext, inMemory }
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) {
        throw error
      }

      const { consumedPoints, msBeforeNext } = error
      const left = consumedPoints > this.#limit ? this.#share - (consumedPoints - this.#limit) : 0

      if (left > 0) {
        return { left, count: consumedPoints, until: Date.now() + msBeforeNext, inMemory: false }
      }

      throw tooManyRequests(msBeforeNext)
    }
  }

  /** Uncounts an attempt while its window is open: in the next window, it would be a free attempt. */
  async giveBack({ value, until, inMemory }: Taken): Promise<void> {
    if (!inMemory && Date.now() < until - countTimeout) {
      await this.#shared.reward(this.#hashed(value)).catch(ignoreFailure)
    }
  }

  /** Uncounts one attempt of each of these values. What was counted elsewhere meanwhile stays. */
  async giveBackAll(values: string[]): Promise<void> {
    const key = { $in: values.map((value) => `${this.#name}:${this.#hashed(value)}`) }

    try {
      const { deletedCount } = await this.#counts.deleteMany({ key, points: 1 })

      if (deletedCount < values.length) {
        await this.#counts.updateMany({ key, points: { $gt: 1 } }, { $inc: { points: -1 } })
      }
    } catch {
      // A count too many is not worth failing for
    }
  }

  /** Resets the count. */
  async clear(value: string): Promise<void> {
    await this.#own.delete(this.#hashed(value))
    await this.#shared.delete(this.#hashed(value)).catch(ignoreFailure)
  }

  async #consume(
    key: string
  ): Promise<Pick<RateLimiterRes, 'msBeforeNext' | 'consumedPoints'> & { inMemory: boolean }> {
    try {
      const { msBeforeNext, consumedPoints } = await this.#shared.consume(key, this.#share)

      return { msBeforeNext, consumedPoints, inMemory: false }
    } catch (error) {
      if (error instanceof RateLimiterRes) {
        throw error
      }

      const { msBeforeNext, consumedPoints } = await this.#own.consume(key, this.#share)

      return { msBeforeNext, consumedPoints, inMemory: true }
    }
  }

  #hashed(value: string): string {
    return createHmac('sha256', this.#hashKey).update(`rate limit ${this.#name} ${value}`).digest('base64url')
  }
}

/** Ignores a failure to lower a count: a count too many is not worth failing a sign-in. */
const ignoreFailure = () => {}
