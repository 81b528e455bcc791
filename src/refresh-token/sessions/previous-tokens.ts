import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Collection, Db } from 'mongodb'
import { durable, reach, unavailable } from '../database-errors.js'
import { Refused } from '../errors.js'
import { factorsOf } from './gate.js'
import type { OwnedSession } from './records.js'
import { hashKey } from './rotation.js'
import { newSessionId, type Device } from './session.js'
import type { SessionStore } from './store.js'

/** A refresh token that another package issued, as it is stored there: the token itself, or its hash. */
export interface PreviousToken {
  token?: string
  /** SHA-256 of the token, in hexadecimal. */
  hash?: string
  userId: string
  /** It is refused from this time on. */
  expiresAt: Date
  /** The `device.id` of its session. */
  deviceId?: string
}

interface StoredToken {
  /** SHA-256 of the token, in hexadecimal. */
  _id: string
  userId: string
  expiresAt: Date
  deviceId?: string
  /** The session that it is exchanged for, and when the exchange began. */
  sid?: string
  usedAt?: Date
  /** `refreshedAt` of that session, once it is open. */
  opened?: Date
  /** Hash of the idempotency key that came with it. */
  key?: string | null
}

export interface PreviousTokensOptions {
  collection: () => Promise<Collection>
  sessions: Pick<SessionStore, 'end' | 'findUser' | 'list' | 'open'>
  /** ms */
  leeway: number
  /** ms since 1970 */
  now: () => number
}

const collectionName = 'previousRefreshTokens'
const maxLength = 8 * 1024 // characters
const batchSize = 1000 // documents
const retryDelays = [50, 100, 200, 400] // ms: the first use may be opening the session at this moment

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

/**
 * Imports refresh tokens of another package for the setting `refresh-token.previousTokens`. Only their hashes are
 * stored. It may be run again: tokens that were imported before stay as they are.
 *
 * @param db The database of the users
 * @returns How many were new
 */
export async function movePreviousTokens(
  db: Db,
  tokens: Iterable<PreviousToken> | AsyncIterable<PreviousToken>
): Promise<number> {
  const collection = db.collection<StoredToken>(collectionName)
  let moved = 0
  let waiting: StoredToken[] = []

  const write = async () => {
    if (waiting.length > 0) {
      const updates = waiting.map(({ _id, ...$setOnInsert }) => ({
        updateOne: { filter: { _id }, update: { $setOnInsert }, upsert: true }
      }))
      const { upsertedCount } = await collection.bulkWrite(updates, { ordered: false, ...durable })

      moved += upsertedCount
      waiting = []
    }
  }

  await collection.createIndex({ expiresAt: 1 }, { expireAfterSeconds: 0 })

  for await (const { token, hash = hashOf(token!), userId, expiresAt, deviceId } of tokens) {
    waiting.push({ _id: hash.toLowerCase(), userId, expiresAt, ...(deviceId !== undefined && { deviceId }) })

    if (waiting.length === batchSize) {
      await write()
    }
  }

  await write()
  return moved
}

/** Exchanges imported refresh tokens for sessions, each for one. */
export class PreviousTokens {
  readonly #options: PreviousTokensOptions

  constructor(options: PreviousTokensOptions) {
    this.#options = options
  }

  /**
   * Uses a token. As with our own, the use may be repeated within the leeway, or with the idempotency key of its first
   * use, until its successor is used; after that the session ends (RFC 9700 §4.14.2).
   *
   * @throws Refused `invalid` for an unknown one, `revoked`, `disabled`, `reused`
   */
  async use(raw: string, idempotencyKey: string | undefined, device: Device): Promise<OwnedSession> {
    const id = newSessionId(this.#options.now())
    const hash = raw.length <= maxLength ? hashOf(raw) : ''
    const key = idempotencyKey === undefined ? null : hashKey(hash, idempotencyKey)
    const stored = await this.#claim(hash, id, key)

    if (!stored) {
      throw new Refused('invalid')
    }
    if (stored.sid === id) {
      return this.#open(stored, device)
    }

    const opened = stored.opened ? stored : await this.#opened(stored)

    if (opened) {
      return this.#useAgain(opened, key)
    }

    // The process that was opening its session may have died; nobody was answered that session
    await this.#release(stored)
    return this.use(raw, idempotencyKey, device)
  }

  /** Of many uses at once, one gets the session id that it chose. */
  #claim(hash: string, sid: string, key: string | null): Promise<StoredToken | null> {
    const now = new Date(this.#options.now())

    return this.#run((tokens) =>
      tokens.findOneAndUpdate(
        { _id: hash, expiresAt: { $gt: now } },
        [
          {
            $set: {
              sid: { $ifNull: ['$sid', sid] },
              key: { $cond: [{ $ifNull: ['$sid', false] }, '$key', key] },
              usedAt: { $ifNull: ['$usedAt', now] }
            }
          }
        ],
        { returnDocument: 'after', ...durable }
      )
    )
  }

  async #open(stored: StoredToken, device: Device): Promise<OwnedSession> {
    const owned = await this.#openSession(stored, device).catch(async (error: unknown) => {
      await this.#release(stored)
      throw error
    })
    const { id: sid, refreshedAt: opened } = owned.session

    // With `rotation: false` it may be an earlier session
    const { matchedCount } = await this.#run((tokens) =>
      tokens.updateOne({ _id: stored._id, sid: stored.sid! }, { $set: { sid, opened } }, durable)
    )

    if (matchedCount === 0) {
      throw unavailable() // another use released the token meanwhile; a retry gets the session of that use
    }

    return owned
  }

  async #openSession({ userId, sid, deviceId }: StoredToken, device: Device): Promise<OwnedSession> {
    const { sessions } = this.#options
    const user = await sessions.findUser(userId)

    // The token is older than the factor, which it doesn't give
    if (factorsOf(user).length > 0) {
      throw new Refused('revoked')
    }

    const session = await sessions.open(userId, {
      id: sid!,
      strategy: 'refresh-token',
      device: { ...device, ...(deviceId !== undefined && { id: deviceId }) }
    })

    return { user, session }
  }

  /** Undoes an exchange that was not completed. */
  async #release({ _id, userId, sid }: StoredToken): Promise<void> {
    await this.#options.sessions.end(userId, sid!, 'replaced')
    await this.#run((tokens) =>
      tokens.updateOne({ _id, sid: sid! }, { $unset: { sid: 1, usedAt: 1, key: 1 } }, durable)
    )
  }

  /** Waits briefly for the session to be opened; null when it was not. */
  async #opened({ _id }: StoredToken): Promise<StoredToken | null> {
    for (const delay of retryDelays) {
      await sleep(delay, undefined, { ref: false })

      const opened = await this.#run((tokens) =>
        tokens.findOne({ _id, opened: { $exists: true } }, { readPreference: 'primary' })
      )

      if (opened) {
        return opened
      }
    }

    return null
  }

  async #useAgain({ userId, sid, usedAt, opened, key: granted }: StoredToken, key: string | null) {
    const { sessions, leeway, now } = this.#options
    const user = await sessions.findUser(userId)
    const session = (await sessions.list(userId)).find(({ id }) => id === sid)
    const isRepeat = (key !== null && key === granted) || now() - usedAt!.getTime() < leeway

    if (session && isRepeat && session.refreshedAt.getTime() === opened!.getTime()) {
      return { user, session }
    }

    throw new Refused((await sessions.end(userId, sid!, 'reused')) ? 'reused' : 'revoked')
  }

  #run<T>(operation: (tokens: Collection<StoredToken>) => Promise<T>): Promise<T> {
    return reach(async () => {
      const users = await this.#options.collection()

      return operation(users.db.collection<StoredToken>(collectionName))
    })
  }
}
