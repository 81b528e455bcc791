import { Unavailable } from '@feathersjs/errors'
import type { Clock } from './options.js'

const longestNap = 30_000 // ms: timers stand still while a computer sleeps, so the clock is looked at this often
const longestBackoff = 60_000 // ms

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (work, delay) => setTimeout(work, delay),
  clearTimeout: (timer) => clearTimeout(timer as number)
}

/** Rings at a time of the clock on the wall. */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #at = Infinity
  #timer: unknown

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** @param at ms since 1970; `Infinity`: never */
  set(at: number): void {
    this.#at = at
    this.look()
  }

  /** Rings if it is time. */
  look(): void {
    const remaining = this.#at - this.#clock.now()

    this.#clock.clearTimeout(this.#timer)

    if (remaining <= 0) {
      this.#at = Infinity
      this.#ring()
    } else if (remaining < Infinity) {
      this.#timer = this.#clock.setTimeout(() => this.look(), Math.min(remaining, longestNap))
      ;(this.#timer as { unref?(): void } | undefined)?.unref?.() // in Node.js, it keeps no process alive
    }
  }
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
