import type { TopologyDescription } from 'mongodb'
import type { Logger } from '../logger.js'
import { whyNoPrimary } from './unreachable.js'

const writable = new Set<string>(['RSPrimary', 'Standalone', 'Mongos', 'LoadBalancer'])
const grace = 1000 // ms: a broken connection is often replaced at once, which is no outage

/** Logs once that the database can't be reached, and once that it can again. */
export class Reachability {
  readonly #log: Logger
  #why: string | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(log: Logger) {
    this.#log = log
  }

  /** Why the database can't be reached; undefined while it can. */
  get why(): string | undefined {
    return this.#why
  }

  /** Follows the state of the servers, as the driver sees it. */
  follow(topology: TopologyDescription): void {
    clearTimeout(this.#timer)

    if ([...topology.servers.values()].some(({ type }) => writable.has(type))) {
      this.back()
    } else {
      this.#timer = setTimeout(() => this.lost(whyNoPrimary(topology)), grace).unref()
    }
  }

  lost(why: string): void {
    if (this.#why === undefined) {
      this.#log.warn(`The database can not be reached (${why}): answering 503 until it is back`)
    }

    this.#why = why
  }

  back(): void {
    if (this.#why !== undefined) {
      this.#log.info('The database can be reached again')
    }

    this.#why = undefined
  }

  close(): void {
    clearTimeout(this.#timer)
  }
}
