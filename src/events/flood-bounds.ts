import { LRUCache } from 'lru-cache'
import { addressGroup } from '../client-address.js'
import type { EventDraft } from './event.js'

const remembered = 10_000 // counts
const minute = 60_000 // ms
const window = 15 * minute // that of the limit of failures, by default

/**
 * Which refused sign-ins are noted, so that who tries a lot can't fill the trail: of those that were too many the first
 * of each account; of those to one account 20 in 15 minutes, where no limit comes first; of those to no account one a
 * minute from one address; and of the last and the first no more than 100 a minute in all. Each process counts its own.
 */
export class FloodBounds {
  readonly #counts = new LRUCache<string, { count: number }>({ max: remembered })

  allows(event: EventDraft): boolean {
    if (event.type !== 'sign-in-refused') {
      return true
    }

    const { userId, account, device, reason, retryAfter } = event
    const address = addressGroup(device.ip ?? '')

    if (reason === 'limited') {
      const time = retryAfter ? retryAfter * 1000 : window

      return (
        this.#take(`limited account ${userId ?? account}`, 1, time) &&
        this.#take(`limited at ${address}`, 10, time) &&
        this.#take('limited', 100, minute)
      )
    }

    return userId === undefined
      ? this.#take(`nobody at ${address}`, 1, minute) && this.#take('nobody', 100, minute)
      : this.#take(userId, 20, window)
  }

  /** @param time How long the first counts, ms */
  #take(key: string, most: number, time: number): boolean {
    const taken = this.#counts.get(key)

    if (!taken) {
      this.#counts.set(key, { count: 1 }, { ttl: time })
      return true
    }

    return ++taken.count <= most
  }
}
