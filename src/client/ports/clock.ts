import { Unavailable } from '../answers.js'
import type { Clock } from '../options.js'
import { platform } from './platform.js'

/** For what is tried in the background. */
export const ignored = (): void => {}

/** A clock on the wall, timers, and the time that passes. */
export interface Timers extends Clock {
  /**
   * ms that have passed. It never goes back: a clock that is set back is taken for one that stood still, and one that is
   * set ahead for a device that slept, which stops other clocks.
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
  // The clock of a test is the only one there
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

/** What a promise comes to. @throws Unavailable when that takes too long */
export function inTime<T>(clock: Clock, work: Promise<T>, limit = 20_000): Promise<T> {
  return new Promise((resolve, reject) => {
    // The service answers within 15 s
    const timer = clock.setTimeout(() => reject(new Unavailable('No answer')), limit)

    work.then(resolve, reject).finally(() => clock.clearTimeout(timer))
  })
}
