import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../../logger.js'

const longest = 10_000 // events: about 10 MB, and enough for minutes of an outage at most services
const batchSize = 500 // events written at once
const pause = 50 // ms before a batch is written, to collect more events
const retryDelay = 1000 // ms
const closeTimeout = 3000 // ms to write the rest when the service stops

/**
 * Writes items in order, a little later, so that nobody waits for it. Items that can't be written yet are kept, up to a
 * limit; further ones are dropped and counted.
 */
export class EventQueue<T> {
  readonly #waiting: T[] = []
  readonly #write: (batch: T[]) => Promise<void>
  readonly #log: Logger
  #working: Promise<void> | undefined
  #dropped = 0
  #loggedDropped = 0
  #isFailing = false

  constructor(write: (batch: T[]) => Promise<void>, log: Logger) {
    this.#write = write
    this.#log = log
  }

  /** The number of unwritten items. */
  get length(): number {
    return this.#waiting.length
  }

  /** The number of items dropped so far. */
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

  /** Writes the rest, for a few seconds at most; drops what is left then. */
  async close(): Promise<void> {
    const done = new AbortController()
    const late = sleep(closeTimeout, true, { signal: done.signal }).catch(() => false)

    while (this.#waiting.length > 0) {
      this.#working ??= this.#work(0).finally(() => (this.#working = undefined))

      if (await Promise.race([this.#working, late])) {
        this.#dropped += this.#waiting.splice(0).length
      }
    }

    done.abort()
    this.#logDropped()
  }

  async #work(first: number): Promise<void> {
    await sleep(first, undefined, { ref: false })

    while (this.#waiting.length > 0) {
      const items = this.#waiting.slice(0, batchSize)

      try {
        await this.#write(items)
        this.#waiting.splice(0, items.length)
        this.#isFailing = false
        this.#logDropped()
      } catch (error) {
        this.#logFailure(error as Error)
        await sleep(retryDelay, undefined, { ref: false })
      }
    }
  }

  /** Logs the first failure since the last success. */
  #logFailure({ message }: Error): void {
    if (!this.#isFailing) {
      this.#isFailing = true
      this.#log.warn(`Events wait to be noted in the audit trail: ${message}`)
    }
  }

  #logDropped(): void {
    const dropped = this.#dropped - this.#loggedDropped

    if (dropped > 0) {
      this.#loggedDropped = this.#dropped
      this.#log.warn(`${dropped} events could not be noted in the audit trail`)
    }
  }
}
