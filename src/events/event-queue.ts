import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../logger.js'

const longest = 10_000 // events: about 10 MB, and minutes of an outage at most services
const batch = 500 // events written at once
const pause = 50 // ms till a batch is written: what happens meanwhile is written with it
const retryDelay = 1000 // ms
const patience = 3000 // ms for the rest to be written when the service stops

/**
 * Writes things a little later, in order, so that nobody waits for it. While they can't be written they are kept, up to a
 * bound; what comes beyond it is dropped, and counted.
 */
export class EventQueue<T> {
  readonly #waiting: T[] = []
  readonly #write: (batch: T[]) => Promise<void>
  readonly #log: Logger
  #working: Promise<void> | undefined
  #dropped = 0
  #toldDropped = 0
  #isFailing = false

  constructor(write: (batch: T[]) => Promise<void>, log: Logger) {
    this.#write = write
    this.#log = log
  }

  /** How many are not written yet. */
  get length(): number {
    return this.#waiting.length
  }

  /** How many were dropped so far. */
  get dropped(): number {
    return this.#dropped
  }

  add(item: T): void {
    if (this.#waiting.length >= longest) {
      this.#dropped++
    } else {
      this.#waiting.push(item)
      this.#working ??= this.#work(pause).finally(() => (this.#working = undefined))
    }
  }

  /** Writes what is left, for some seconds at most. The rest is dropped. */
  async close(): Promise<void> {
    const done = new AbortController()
    const late = sleep(patience, true, { signal: done.signal }).catch(() => false)

    while (this.#waiting.length > 0) {
      this.#working ??= this.#work(0).finally(() => (this.#working = undefined))

      if (await Promise.race([this.#working, late])) {
        this.#dropped += this.#waiting.splice(0).length
      }
    }

    done.abort()
    this.#tellDropped()
  }

  async #work(first: number): Promise<void> {
    await sleep(first, undefined, { ref: false })

    while (this.#waiting.length > 0) {
      const items = this.#waiting.slice(0, batch)

      try {
        await this.#write(items)
        this.#waiting.splice(0, items.length)
        this.#isFailing = false
        this.#tellDropped()
      } catch (error) {
        this.#tellFailure(error as Error)
        await sleep(retryDelay, undefined, { ref: false })
      }
    }
  }

  /** Once each time it comes to that. */
  #tellFailure({ message }: Error): void {
    if (!this.#isFailing) {
      this.#isFailing = true
      this.#log.warn(`Events wait to be noted in the audit trail: ${message}`)
    }
  }

  #tellDropped(): void {
    const dropped = this.#dropped - this.#toldDropped

    if (dropped > 0) {
      this.#toldDropped = this.#dropped
      this.#log.warn(`${dropped} events could not be noted in the audit trail`)
    }
  }
}
