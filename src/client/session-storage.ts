import type { Storage } from '@feathersjs/authentication-client'
import { surroundings } from './surroundings.js'

/** What is kept of a session. */
export interface Kept {
  /**
   * The idempotency key of the next refresh, kept before that is sent: whoever repeats it, in another tab or after the
   * app was killed, sends the same one. Also by what one refresh token is told from the next.
   */
  key: string
  /** Not there where it is in a cookie. */
  refreshToken?: string
}

export type SessionStorage = ReturnType<typeof sessionStorage>

/** It is no secret (docs/sessions.md), so where there is no cryptography chance will do. */
export const newKey = (): string => surroundings.crypto?.randomUUID?.() ?? `${Math.random()}`

/**
 * Keeps a session in an item of a Feathers storage. Where there is none, and where that fails (full, forbidden), for as
 * long as we live: what was not stored counts for more than what is.
 */
export function sessionStorage(storage: Storage | false | undefined, item: string) {
  let memory: Kept | undefined
  let isAhead = false // of the storage, which is slow, or failed

  return {
    async read(): Promise<Kept | undefined> {
      try {
        const kept = JSON.parse((await (storage as Storage).getItem(item)) || null)

        if (!isAhead) {
          memory = kept?.key && kept
        }
      } catch {
        // What we know is as good
      }

      return memory
    },

    /** @param kept `undefined`: nothing any more */
    async write(kept: Kept | undefined): Promise<void> {
      memory = kept
      isAhead = true

      try {
        await (kept
          ? (storage as Storage).setItem!(item, JSON.stringify(kept))
          : (storage as Storage).removeItem!(item))
        isAhead = memory !== kept
      } catch {
        // It lasts as long as the app
      }
    }
  }
}
