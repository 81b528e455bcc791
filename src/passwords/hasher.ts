import { hash, verify } from '@node-rs/argon2'
import { verify as verifyBcrypt } from '@node-rs/bcrypt'
import { randomUUID } from 'node:crypto'
import pLimit, { type LimitFunction } from 'p-limit'
import { normalizePassword } from './normalize.js'
import type { PasswordSettings } from './settings.js'
import { tooManyPasswords } from './turns.js'

/** The result of verifying a password. */
export interface Verification {
  matches: boolean
  /** A new hash, if the whole password matched and the stored hash doesn't follow the current settings. */
  upgrade?: string
}

const bcryptLength = 72 // bytes: bcrypt ignores the rest of a password

/**
 * Hashes passwords with Argon2id, which uses all of their bytes, in other threads. Limits how many are hashed at once
 * and how many wait, and refuses the rest. Also verifies bcrypt, the hashes of stock Feathers.
 */
export class PasswordHasher {
  readonly #cost: { memoryCost: number; timeCost: number; parallelism: number }
  readonly #prefix: string // of new hashes (PHC string format)
  readonly #most: number
  readonly #limit: LimitFunction
  // Verified for unknown users, so that it takes as long as a wrong password
  readonly #nobodys: Promise<string>

  constructor({ concurrency, queue, ...cost }: PasswordSettings) {
    this.#cost = cost
    this.#prefix = `$argon2id$v=19$m=${cost.memoryCost},t=${cost.timeCost},p=${cost.parallelism}$`
    this.#most = concurrency + queue
    this.#limit = pLimit(concurrency)
    this.#nobodys = this.#hash(randomUUID())
  }

  /** The number of passwords being hashed. */
  get active(): number {
    return this.#limit.activeCount
  }

  /** The number of passwords waiting to be hashed. */
  get waiting(): number {
    return this.#limit.pendingCount
  }

  /** @throws Unavailable when too many are waiting */
  async hash(password: string): Promise<string> {
    return this.#inTurn(() => this.#hash(password))
  }

  /**
   * Verifies a password with the hash of a user, and makes a new hash if the stored one is of an outdated kind or cost.
   * A hash that can't be parsed matches nothing.
   *
   * @param stored undefined if there is no such user: takes as long as a wrong password and never matches
   * @throws Unavailable when too many are waiting
   */
  async verify(stored: string | undefined, password: string): Promise<Verification> {
    return this.#inTurn(async () => {
      const matches = await matchesHash(stored ?? (await this.#nobodys), password).catch(() => false)

      if (!matches || stored === undefined) {
        return { matches: false }
      }

      // No upgrade: somebody else may know only the beginning of the password, and would lock out the user
      return stored.startsWith(this.#prefix) || matchesBeginning(stored, password)
        ? { matches }
        : { matches, upgrade: await this.#hash(password) }
    })
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.active + this.waiting >= this.#most) {
      throw tooManyPasswords()
    }

    return this.#limit(work)
  }

  #hash(password: string): Promise<string> {
    return hash(normalizePassword(password), this.#cost)
  }
}

/** Whether a hash only covers the beginning of a password that matches it. */
export function matchesBeginning(stored: string, password: string): boolean {
  return isBcrypt(stored) && Buffer.byteLength(password) >= bcryptLength
}

const isBcrypt = (stored: string): boolean => /^\$2[abxy]\$/.test(stored)

async function matchesHash(stored: string, password: string): Promise<boolean> {
  const normalized = normalizePassword(password)

  if (!isBcrypt(stored)) {
    return verify(stored, normalized)
  }

  // Stock Feathers hashed passwords without normalizing them
  return (
    (await verifyBcrypt(password, stored)) ||
    (normalized !== password && (await verifyBcrypt(normalized, stored)))
  )
}
