import pLimit, { type LimitFunction } from 'p-limit'
import { RateLimit, type RateLimitOptions } from './rate-limit.js'

/**
 * Limits failures. Each attempt is counted before it is made, so that however many come at once, no more than the
 * limit are made; one that succeeds clears the count.
 */
export class FailureLimit extends RateLimit {
  readonly #queues = new Map<string, { turn: LimitFunction; length: number }>()
  readonly #limit: number

  constructor(name: string, options: RateLimitOptions) {
    super(name, options)
    this.#limit = options.limit
  }

  /**
   * Makes an attempt. It failed when it throws a 401 or a 403; any other error says nothing of what was guessed.
   *
   * @param clears Whether it is a success of what is counted: one of something else says nothing either
   * @throws TooManyRequests with `data.retryAfter` (s) instead of making it; what the attempt throws
   */
  async attempt<T>(value: string, make: () => Promise<T>, clears: () => boolean = () => true): Promise<T> {
    const queue = this.#queues.get(value) ?? { turn: pLimit(this.#limit), length: 0 }

    this.#queues.set(value, queue)
    queue.length++

    try {
      // No more at once than may fail: many right passwords at once would else count as failures of each other
      return await queue.turn(() => this.#attempt(value, make, clears))
    } finally {
      if (--queue.length === 0) {
        this.#queues.delete(value)
      }
    }
  }

  async #attempt<T>(value: string, make: () => Promise<T>, clears: () => boolean): Promise<T> {
    const taken = await this.take(value)
    const made = await make().catch(async (error: unknown) => {
      if (!isFailure(error)) {
        await this.giveBack(taken)
      }
      throw error
    })

    await (clears() ? this.clear(value) : this.giveBack(taken))
    return made
  }
}

const isFailure = (error: unknown): boolean => [401, 403].includes((error as { code?: number }).code ?? 0)
