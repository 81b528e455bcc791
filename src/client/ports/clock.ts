import { Unavailable } from '../answers.js'
import type { Clock } from '../options.js'
import { platform } from './platform.js'

/** Ignores a failure in the background. */
export const ignored = (): void => {}

/** A clock with timers, and the time that has passed. */
export interface Timers extends Clock {
  /**
   * ms that have passed; never goes back. A clock that is set back counts as stopped. One that is set forward counts as
   * a device that slept, since monotonic clocks may stop during sleep.
   */
  elapsed(): number
}

export function timers(clock: Partial<Clock> = {}): Timers {
  const all = {
    now: () => Date.now(),
    setTimeout: (work: () => void, delay: number): unknown => setTimeout(work, delay),
    clearTimeout: (timer: unknown) => clearTimeout(timer as number),
    ...clock
  }
  // With the clock of a test, there is no other
  const steady = () => (clock.now ? 0 : (platform.performance?.now() ?? 0))
  let wall = all.now()
  let last = steady()
  let sum = 0

  return {
    ...all,
    elapsed() {
      sum += Math.max(-wall + (wall = all.now()), -last + (last = steady()), 0)
      return sum
    }
  }
}

/** Limits the time of a promise. @throws Unavailable if it takes too long */
export function inTime<T>(clock: Clock, work: Promise<T>, limit = 20_000): Promise<T> {
  return new Promise((resolve, reject) => {
    // By default 20 s, since the service answers within 15 s
    const timer = clock.setTimeout(() => reject(new Unavailable('No answer')), limit)

    work.then(resolve, reject).finally(() => clock.clearTimeout(timer))
  })
}
