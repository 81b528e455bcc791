import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import { toMilliseconds } from '../refresh-token/internal.js'
import type { Limit } from './settings.js'
import { tooManyRequests } from './too-many-requests.js'

const longestInMemory = 24 * 60 * 60 // s: a timer can't be set for more than 24 days

/** Counts attempts in the memory of this process. Enough for tokens: they can't be guessed, so it only bounds work. */
export class MemoryLimit {
  readonly #limiter: RateLimiterMemory

  constructor({ limit, per }: Limit) {
    this.#limiter = limiterInMemory(limit, per)
  }

  /** @throws TooManyRequests with `data.retryAfter` (s) over the limit */
  async take(value: string): Promise<void> {
    try {
      await this.#limiter.consume(value)
    } catch (error) {
      throw error instanceof RateLimiterRes ? tooManyRequests(error.msBeforeNext) : error
    }
  }
}

export function limiterInMemory(points: number, per: Limit['per']): RateLimiterMemory {
  return new RateLimiterMemory({ points, duration: Math.min(toMilliseconds(per)! / 1000, longestInMemory) })
}
