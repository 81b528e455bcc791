import { Unavailable } from './answers.js'
import type { Clock } from './options.js'

const longestWait = 20_000 // ms: the service answers within 15 s
const longestBackoff = 60_000 // ms

/** For what is tried in the background. */
export const ignored = (): void => {}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (work, delay) => setTimeout(work, delay),
  clearTimeout: (timer) => clearTimeout(timer as number)
}

/** What a promise comes to. @throws Unavailable when that takes too long */
export function inTime<T>(clock: Clock, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(new Unavailable('No answer')), longestWait)

    work.then(resolve, reject).finally(() => clock.clearTimeout(timer))
  })
}

/** How long to wait after so many failures, in ms: up to 1 s, 2 s, 4 s… */
export function backoff(failures: number): number {
  return Math.min(1000 * (2 ** failures - 1), longestBackoff) * (0.5 + Math.random() / 2)
}
