import { Unavailable } from './answers.js'
import type { Clock } from './options.js'

const longestBackoff = 60_000 // ms

/** For what is tried in the background. */
export const ignored = (): void => {}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (work, delay) => setTimeout(work, delay),
  clearTimeout: (timer) => clearTimeout(timer as number)
}

/** What a promise comes to. @throws Unavailable when that takes longer than `limit` ms */
export function within<T>(clock: Clock, limit: number, work: Promise<T>, why: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(new Unavailable(why)), limit)

    work.then(resolve, reject).finally(() => clock.clearTimeout(timer))
  })
}

/** How long to wait after so many failures, in ms: up to 1 s, 2 s, 4 s… */
export function backoff(failures: number): number {
  return failures < 1 ? 0 : Math.min(1000 * 2 ** (failures - 1), longestBackoff) * (0.5 + Math.random() / 2)
}
