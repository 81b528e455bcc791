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

/** It is no secret (docs/sessions.md), so where there is no cryptography chance will do. */
export const newKey = (): string => surroundings.crypto?.randomUUID?.() ?? `${Math.random()}${Math.random()}`

/** Keeps a session in a Feathers storage, in one item. Where that fails (full, forbidden), for as long as we live. */
export class SessionStorage {
  readonly #storage: Storage
  readonly #item: string
  #memory: Kept | undefined
  #failed = false

  constructor(storage: Storage, item: string) {
    this.#storage = storage
    this.#item = item
  }

  async read(): Promise<Kept | undefined> {
    try {
      return this.#failed ? this.#memory : (this.#memory = parsed(await this.#storage.getItem(this.#item)))
    } catch {
      return this.#memory
    }
  }

  /** @param kept `undefined`: nothing any more */
  async write(kept: Kept | undefined): Promise<void> {
    this.#memory = kept
    this.#failed = false

    try {
      await (kept
        ? this.#storage.setItem!(this.#item, JSON.stringify(kept))
        : this.#storage.removeItem!(this.#item))
    } catch {
      this.#failed = true
    }
  }
}

function parsed(item: unknown): Kept | undefined {
  try {
    const kept = JSON.parse(String(item))

    return typeof kept?.key === 'string' ? kept : undefined
  } catch {
    return undefined
  }
}
