import pLimit, { type LimitFunction } from 'p-limit'
import { RateLimit, type RateLimitOptions, type Taken } from './rate-limit.js'

const pause = 1000 // ms: a sign-in costs one write, and the counts of many are given back together
const margin = 5000 // ms before the end of a window: what is given back after it would lower the count of the next

interface Queue {
  turn: LimitFunction
  length: number
  /** The most that were in it at once. */
  peak: number
}

/**
 * Limits failed attempts. Each attempt is counted before it is made, so that concurrent attempts can't exceed the
 * limit. A success clears the count.
 */
export class FailureLimit extends RateLimit {
  readonly #queues = new Map<string, Queue>()
  // What was counted for attempts that succeeded, by value: the next attempt uses it, or else it is given back in a while
  readonly #unused = new Map<string, Taken>()
  readonly #limit: number

  constructor(name: string, options: RateLimitOptions) {
    super(name, options)
    this.#limit = options.limit
  }

  /**
   * Makes an attempt. A 401 or a 403 is a failure, unless what was given is right, and not enough; any other error says
   * nothing about the guess.
   *
   * @param clears Whether a success clears the count: it does not if it proves something other than what is counted
   * @throws TooManyRequests with `data.retryAfter` (s) instead of making it; the attempt's own errors
   */
  async attempt<T>(value: string, make: () => Promise<T>, clears: () => boolean = () => true): Promise<T> {
    const queue = this.#queues.get(value) ?? { turn: pLimit(this.#limit), length: 0, peak: 0 }

    this.#queues.set(value, queue)
    queue.peak = Math.max(queue.peak, ++queue.length)

    try {
      // At most as many at once as may fail: otherwise concurrent correct passwords would count against each other
      return await queue.turn(() => this.#attempt(value, queue, make, clears))
    } finally {
      if (--queue.length === 0) {
        this.#queues.delete(value)
      }
    }
  }

  async #attempt<T>(value: string, queue: Queue, make: () => Promise<T>, clears: () => boolean): Promise<T> {
    const taken = this.#takeUnused(value) ?? (await this.take(value))
    const made = await make().catch(async (error: unknown) => {
      if (!isFailure(error)) {
        await this.giveBack(taken)
      }
      throw error
    })

    if (!clears()) {
      await this.giveBack(taken)
    } else if (
      taken.count === 1 &&
      !taken.inMemory &&
      queue.peak === 1 &&
      Date.now() < taken.until - margin
    ) {
      this.#keepUnused(taken)
    } else {
      await this.clear(value)
    }

    return made
  }

  #takeUnused(value: string): Taken | undefined {
    const taken = this.#unused.get(value)

    this.#unused.delete(value)
    return taken
  }

  #keepUnused(taken: Taken): void {
    if (this.#unused.size === 0) {
      setTimeout(() => this.#giveBackUnused(), pause).unref()
    }

    this.#unused.set(taken.value, taken)
  }

  #giveBackUnused(): void {
    const values = [...this.#unused.keys()]

    this.#unused.clear()
    void this.giveBackAll(values)
  }
}

function isFailure(error: unknown): boolean {
  const { code = 0, data } = error as { code?: number; data?: { reason?: string } }

  return [401, 403].includes(code) && !['factor', 'step-up'].includes(data?.reason ?? '')
}
