import { hash, verify } from '@node-rs/argon2'
import { verify as verifyBcrypt } from '@node-rs/bcrypt'
import { Unavailable } from '@feathersjs/errors'
import { Type, type Static } from '@feathersjs/typebox'
import { randomUUID } from 'node:crypto'
import pLimit, { type LimitFunction } from 'p-limit'
import type { Application } from './declarations.js'
import { normalizePassword } from './validators.js'

const wholeNumber = (minimum: number, maximum: number, meaning: string) =>
  Type.Integer({
    minimum,
    maximum,
    description: `write ${meaning}, a whole number from ${minimum} to ${maximum}`
  })

/** The settings in `passwords`. The defaults stand in config/default.json, the reasons in docs/passwords.md. */
export const passwordsSchema = Type.Object(
  {
    memoryCost: wholeNumber(7168, 2 ** 20, 'how many KiB of memory one hash takes'), // the least that OWASP lists
    timeCost: wholeNumber(1, 100, 'how many passes one hash makes'),
    parallelism: wholeNumber(1, 64, 'how many lanes one hash has'),
    concurrency: wholeNumber(1, 128, 'how many passwords are hashed at once'),
    queue: wholeNumber(0, 10_000, 'how many requests may wait for that')
  },
  {
    additionalProperties: false,
    description: 'write an object with memoryCost, timeCost, parallelism, concurrency and queue'
  }
)
export type PasswordSettings = Static<typeof passwordsSchema>

/** What came of comparing a password with a hash. */
export interface Verdict {
  matches: boolean
  /** The password's hash by today's settings, where it matched one that is not. */
  upgrade?: string
}

const retryAfter = 2 // s: about what a full queue of the default length takes

/**
 * Hashes passwords with Argon2id, of which every byte counts, in threads of their own. Of the hashes at once there is
 * a bound; the others wait, and past another bound are turned away. Reads bcrypt, the hashes of stock Feathers, too.
 */
export class PasswordHasher {
  readonly #cost: { memoryCost: number; timeCost: number; parallelism: number }
  readonly #prefix: string // of the hashes that are made now (PHC string format)
  readonly #most: number
  readonly #limit: LimitFunction
  // What the password of an unknown user is compared with, so that it takes the same time as a wrong one
  readonly #nobodys: Promise<string>

  constructor({ concurrency, queue, ...cost }: PasswordSettings) {
    this.#cost = cost
    this.#prefix = `$argon2id$v=19$m=${cost.memoryCost},t=${cost.timeCost},p=${cost.parallelism}$`
    this.#most = concurrency + queue
    this.#limit = pLimit(concurrency)
    this.#nobodys = this.#hash(randomUUID())
  }

  /** How many passwords are being hashed. */
  get active(): number {
    return this.#limit.activeCount
  }

  /** How many wait for that. */
  get waiting(): number {
    return this.#limit.pendingCount
  }

  /** @throws Unavailable when too many are waiting */
  async hash(password: string): Promise<string> {
    return this.#inTurn(() => this.#hash(password))
  }

  /**
   * Compares a password with the hash of a user, and makes a new one where it is of another kind or cost than hashes
   * are today. A hash that can't be read is no one's password.
   *
   * @param stored undefined where there is no such user: takes the time of a wrong password, and never matches
   * @throws Unavailable when too many are waiting
   */
  async verify(stored: string | undefined, password: string): Promise<Verdict> {
    return this.#inTurn(async () => {
      const matches = await matchesHash(stored ?? (await this.#nobodys), password).catch(() => false)

      if (!matches || stored === undefined) {
        return { matches: false }
      }

      return stored.startsWith(this.#prefix) ? { matches } : { matches, upgrade: await this.#hash(password) }
    })
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.active + this.waiting >= this.#most) {
      throw new Unavailable('Too many passwords are being checked, try again later', { retryAfter })
    }

    return this.#limit(work)
  }

  #hash(password: string): Promise<string> {
    return hash(normalizePassword(password), this.#cost)
  }
}

const isBcrypt = (stored: string): boolean => /^\$2[abxy]\$/.test(stored)

async function matchesHash(stored: string, password: string): Promise<boolean> {
  const normalized = normalizePassword(password)

  if (!isBcrypt(stored)) {
    return verify(stored, normalized)
  }

  // Stock Feathers hashed what it was sent
  return (
    (await verifyBcrypt(password, stored)) ||
    (normalized !== password && (await verifyBcrypt(normalized, stored)))
  )
}

/** `app.get('hasher')`, of the settings in `passwords`. */
export const passwords = (app: Application) => {
  app.set('hasher', new PasswordHasher(app.get('passwords')))
}
