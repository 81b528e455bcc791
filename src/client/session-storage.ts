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
export const newKey = (): string => surroundings.crypto?.randomUUID?.() ?? `${Math.random()}${Math.random()}`

/** Keeps a session in an item of a Feathers storage. Where that fails (full, forbidden), for as long as we live. */
export function sessionStorage(storage: Storage, item: string) {
  let memory: Kept | undefined
  let failed = false

  return {
    async read(): Promise<Kept | undefined> {
      if (!failed) {
        try {
          const kept = JSON.parse((await storage.getItem(item)) || null)

          memory = kept?.key ? kept : undefined
        } catch {
          // What we know is as good
        }
      }

      return memory
    },

    /** @param kept `undefined`: nothing any more */
    async write(kept: Kept | undefined): Promise<void> {
      memory = kept
      failed = false

      try {
        await (kept ? storage.setItem!(item, JSON.stringify(kept)) : storage.removeItem!(item))
      } catch {
        failed = true
      }
    }
  }
}
