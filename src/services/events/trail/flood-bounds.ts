import { LRUCache } from 'lru-cache'
import { addressGroup } from '../../../http/client-address.js'
import type { EventDraft } from './event.js'

const remembered = 50_000 // counts: about 10 MB
const minute = 60_000 // ms
const window = 15 * minute // the default window of the limit of failed sign-ins

/**
 * Limits how many events are noted, so that nobody can flood the trail. Counts per process.
 *
 * Refused sign-ins: beyond the rate limit, only the first for each account; for one account, 20 in 15 minutes, unless
 * the rate limit is reached first; for accounts that don't exist, one a minute per address. The first and the last kind
 * are also limited to 100 a minute in total.
 *
 * All other events: always the first of each type for a user; then, in 15 minutes, 20 of a type per user and address,
 * 200 of a type per user, and 600 per address. So even if somebody who knows the password floods the trail of an
 * account, its use from elsewhere still shows.
 */
export class FloodBounds {
  readonly #counts = new LRUCache<string, { count: number }>({ max: remembered })

  allows(event: EventDraft): boolean {
    return event.type === 'sign-in-refused' ? this.#allowsRefusal(event) : this.#allowsOther(event)
  }

  #allowsRefusal({ userId, account, device, reason, retryAfter }: EventDraft): boolean {
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

  #allowsOther({ type, userId, device, reason = '' }: EventDraft): boolean {
    const address = addressGroup(device.ip ?? '')
    const kind = `${type} ${reason} of ${userId}`

    return (
      this.#take(`first ${kind}`, 1, window) ||
      (this.#take(`${kind} at ${address}`, 20, window) &&
        this.#take(kind, 200, window) &&
        this.#take(`all at ${address}`, 600, window))
    )
  }

  /** @param time ms until the count is reset */
  #take(key: string, most: number, time: number): boolean {
    const taken = this.#counts.get(key)

    if (!taken) {
      this.#counts.set(key, { count: 1 }, { ttl: time })
      return true
    }

    return ++taken.count <= most
  }
}
