import { createHash, createHmac, randomBytes, timingSafeEqual, type KeyObject } from 'node:crypto'
import type { Collection } from 'mongodb'
import { Refused } from '../refresh-token/index.js'
import { durable, reach, type Keyring } from '../refresh-token/internal.js'

/** What a passkey is asked for. */
export const purposes = ['sign-in', 'sign-up', 'register', 'step-up', 'factor'] as const

export type Purpose = (typeof purposes)[number]

/** What a challenge was made for. */
export interface Claims {
  purpose: Purpose
  /** The user it was made for; missing for a sign-in and a sign-up. */
  userId?: string
  /** The handle of the account that a sign-up creates. */
  handle?: string
  /** The challenge of the gate that it helps to answer. */
  gate?: string
}

/** A challenge that was made here, with what the authenticator signs of it. */
export interface Challenge extends Claims {
  id: string
  /** WebAuthn's challenge, which the id alone tells: base64url. */
  challenge: string
  /** ms since 1970 */
  expiresAt: number
}

export interface ChallengesOptions {
  /** The keys that sign. */
  keyring: Keyring
  /** Where uses are stored. */
  collection: () => Promise<Collection<UsedChallenge>>
  /** ms since 1970 */
  now: () => number
}

/** A challenge that was used. */
export interface UsedChallenge {
  /** The hash of its id. */
  _id: string
  expiresAt: Date
}

export const usedChallenges = 'passkeyChallenges'

/** s. Its clock and ours may differ, and a use that is forgotten too early could be repeated. */
export const keptAfterExpiry = 60 * 60

const life = 5 * 60_000 // ms
const context = 'moult passkey challenge' // the keys sign other things, too

/** Challenges that passkeys sign. Each is signed and carries its purpose; nothing is stored of it but its use. */
export class Challenges {
  readonly #keyring: Keyring
  readonly #collection: ChallengesOptions['collection']
  readonly #now: () => number

  constructor({ keyring, collection, now }: ChallengesOptions) {
    this.#keyring = keyring
    this.#collection = collection
    this.#now = now
  }

  /** Makes a challenge, good for five minutes. */
  issue(claims: Claims): Challenge {
    const { kid, signKey } = this.#keyring.newest
    const expiresAt = this.#now() + life
    const payload = { ...claims, expiresAt, nonce: randomBytes(16).toString('base64url') }
    const text = `${kid}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`
    const id = `${text}.${signature(signKey!, text)}`

    return { ...claims, id, challenge: hashOf(id), expiresAt }
  }

  /**
   * Reads a challenge that came back.
   *
   * @param accepted The purposes that it may have been made for
   * @throws Refused `invalid` if it was not made here; `expired` if it is late, or was made for something else
   */
  read(id: string, ...accepted: readonly Purpose[]): Challenge {
    const [kid = '', payload = '', mac = '', ...more] = id.split('.')
    const key = this.#keyring.find(kid)

    if (!key || more.length > 0 || !isSame(signature(key.verifyKey, `${kid}.${payload}`), mac)) {
      throw new Refused('invalid')
    }

    const { nonce: _nonce, ...claims } = JSON.parse(
      Buffer.from(payload, 'base64url').toString()
    ) as Claims & {
      nonce: string
      expiresAt: number
    }

    if (claims.expiresAt <= this.#now() || !accepted.includes(claims.purpose)) {
      throw new Refused('expired')
    }

    return { ...claims, id, challenge: hashOf(id) }
  }

  /** The challenge of the gate that one helps to answer; undefined for any other, and for a malformed one. */
  gateOf(id: unknown): string | undefined {
    try {
      return typeof id === 'string' ? this.read(id, 'factor').gate : undefined
    } catch {
      return undefined
    }
  }

  /**
   * Uses a challenge. Of many uses at once, on any number of processes, one succeeds.
   *
   * @throws Refused `expired` if it was used before
   */
  async use({ id, expiresAt }: Challenge): Promise<void> {
    await reach(async () => {
      const used = await this.#collection()

      await used.insertOne({ _id: hashOf(id), expiresAt: new Date(expiresAt) }, durable)
    }).catch((error: unknown) => {
      throw (error as { code?: unknown }).code === duplicateKey ? new Refused('expired') : error
    })
  }
}

const duplicateKey = 11000 // MongoDB's error code

const signature = (key: KeyObject, text: string): string =>
  createHmac('sha256', key).update(`${context} ${text}`).digest('base64url')

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

function isSame(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)]

  return a.length === b.length && timingSafeEqual(a, b)
}
