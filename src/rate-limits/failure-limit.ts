import pLimit, { type LimitFunction } from 'p-limit'
import { RateLimit, type RateLimitOptions } from './rate-limit.js'

/**
 * Limits failed attempts. Each is counted before it is made, so that however many come at once, no more than the limit
 * are made. A success clears the count.
 */
export class FailureLimit extends RateLimit {
  readonly #queues = new Map<string, { turn: LimitFunction; length: number }>()
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
   * @throws TooManyRequests with `data.retryAfter` (s) instead of making it; whatever the attempt throws
   */
  async attempt<T>(value: string, make: () => Promise<T>, clears: () => boolean = () => true): Promise<T> {
    const queue = this.#queues.get(value) ?? { turn: pLimit(this.#limit), length: 0 }

    this.#queues.set(value, queue)
    queue.length++

    try {
      // As many at once as may fail: otherwise many right passwords at once would count against each other
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

function isFailure(error: unknown): boolean {
  const { code = 0, data } = error as { code?: number; data?: { reason?: string } }

  return [401, 403].includes(code) && !['factor', 'step-up'].includes(data?.reason ?? '')
}
