import type { Params } from '@feathersjs/feathers'
import { LRUCache } from 'lru-cache'
import type { Application } from '../../declarations.js'
import type { Client } from '../../passwords/turns.js'
import { groupOf } from '../../rate-limits/limit-by-address.js'
import type { Device } from '../../refresh-token/index.js'
import { onAttempt } from './attempts.js'

const remembered = 50_000 // addresses and devices: about 10 MB

/**
 * The addresses and device ids that have recently signed in or refreshed a session. Part of the queue for password
 * hashes is reserved for them. The account doesn't matter, so that a place in the queue reveals nothing about accounts.
 */
export class KnownClients {
  readonly #seen = new LRUCache<string, true>({ max: remembered })

  constructor(app: Application) {
    onAttempt(app, ({ outcome, context: { params, result } }) => {
      const device: Device | undefined = result?.session?.device

      // As in Feathers, a strategy may sign in without a user, whose login has no session
      if (outcome === 'ok' && params.provider && device) {
        this.#keysOf(params, device.id).forEach((key) => this.#seen.set(key, true))
      }
    })
  }

  /** The client that makes a call; undefined for calls of the app itself. */
  clientOf(params: Params, deviceId?: unknown): Client | undefined {
    return params.provider
      ? {
          address: groupOf({ params }),
          isKnown:
            params.user !== undefined || this.#keysOf(params, deviceId).some((key) => this.#seen.has(key))
        }
      : undefined
  }

  #keysOf(params: Params, deviceId: unknown): string[] {
    const address = `address ${groupOf({ params })}`

    return typeof deviceId === 'string' ? [address, `device ${deviceId}`] : [address]
  }
}

declare module '../../declarations.js' {
  interface Configuration {
    knownClients: KnownClients
  }
}
