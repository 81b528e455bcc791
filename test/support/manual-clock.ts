import type { Clock } from '../../src/client/index.js'
import type { TestApp } from './app.js'

/** A clock of a client that goes with the service's, and its timers: moved by hand. */
export interface ManualClock extends Clock {
  /** Time goes by for all. */
  advance(ms: number): void
  /** Time goes by for the clocks on the wall; timers stand still, as in a laptop with its lid closed. */
  sleep(ms: number): void
  /** Time goes by for the timers. */
  tick(ms: number): void
}

export function manualClock(shared: TestApp['clock']): ManualClock {
  const timers = new Map<object, { work: () => void; left: number }>()

  return {
    now: () => shared.now,
    setTimeout(work, left) {
      const timer = {}

      timers.set(timer, { work, left })
      return timer
    },
    clearTimeout: (timer) => void timers.delete(timer as object),
    advance(ms) {
      shared.advance(ms)
      this.tick(ms)
    },
    sleep: (ms) => shared.advance(ms),
    tick(ms) {
      for (const [timer, entry] of [...timers]) {
        entry.left -= ms

        if (entry.left <= 0) {
          timers.delete(timer)
          entry.work()
        }
      }
    }
  }
}
