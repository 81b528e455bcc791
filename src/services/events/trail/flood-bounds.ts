import { LRUCache } from 'lru-cache'
import { addressGroup } from '../../../http/client-address.js'
import type { EventDraft } from './event.js'

const remembered = 50_000 // counts: about 10 MB
const minute = 60_000 // ms
const window = 15 * minute // the default window of the limit of failed sign-ins

/**
 * Bounds how many events are noted, so that nobody can flood the trail. Counts per process.
 *
 * Of refused sign-ins beyond the rate limit, the first of each account; of those to one account, 20 in 15 minutes, unless
 * the rate limit comes first; of those to no existing account, one a minute per address. Of the first and the last kind,
 * 100 a minute at most.
 *
 * Of all else the first of its kind for each user; then, in 15 minutes, 20 of a kind by user and address, 200 of a kind by
 * user, and 600 by address. So whoever floods the own trail, or that of an account whose password is known, still shows
 * wherever else the account is used.
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

  /** @param time ms until the count starts anew */
  #take(key: string, most: number, time: number): boolean {
    const taken = this.#counts.get(key)

    if (!taken) {
      this.#counts.set(key, { count: 1 }, { ttl: time })
      return true
    }

    return ++taken.count <= most
  }
}
