import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Collection, Db } from 'mongodb'
import { Refused, isUnreachable, unavailable } from './errors.js'
import { hashKey, newSessionId, type Device } from './session.js'
import type { OwnedSession } from './session-documents.js'
import type { SessionStore } from './session-store.js'

/** A refresh token of what an app used before, as it was stored there: itself, or its hash. */
export interface PreviousToken {
  token?: string
  /** SHA-256 of the token, in hexadecimal. */
  hash?: string
  userId: string
  /** When it is refused at the latest. */
  expiresAt: Date
  /** What the device that holds it is called. */
  deviceId?: string
}

interface StoredToken {
  /** SHA-256 of the token, in hexadecimal. */
  _id: string
  userId: string
  expiresAt: Date
  deviceId?: string
  /** The session that it is exchanged for, and when that began. */
  sid?: string
  usedAt?: Date
  /** `refreshedAt` of that session, once it is there. */
  opened?: Date
  /** Hash of the idempotency key that came with it. */
  key?: string | null
}

export interface PreviousTokensOptions {
  collection: () => Promise<Collection>
  sessions: Pick<SessionStore, 'end' | 'findOwner' | 'list' | 'open'>
  /** ms */
  leeway: number
  /** ms since 1970 */
  now: () => number
}

const collectionName = 'previousRefreshTokens'
const longest = 8 * 1024 // characters
const batch = 1000 // documents
const patience = [50, 100, 200, 400] // ms: the first use may be opening the session at this moment
const durable = { writeConcern: { w: 'majority', journal: true } } as const

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex')

/**
 * Moves refresh tokens of before into the database of the users, where `refresh-token.previousTokens` finds them: by
 * their hashes. May be run again: what was moved stays as it is.
 *
 * @param db That of the users
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

    if (waiting.length === batch) {
      await write()
    }
  }

  await write()
  return moved
}

/** Exchanges refresh tokens of before for sessions: each for one. */
export class PreviousTokens {
  readonly #options: PreviousTokensOptions

  constructor(options: PreviousTokensOptions) {
    this.#options = options
  }

  /**
   * Uses a token. As with our own: it may be repeated for the leeway, or with the idempotency key of its first use,
   * until its successor is used; later it is in two hands, and its session ends (RFC 9700 §4.14.2).
   *
   * @throws Refused `invalid` for one that is not known, `revoked`, `disabled`, `reused`
   */
  async use(raw: string, idempotencyKey: string | undefined, device: Device): Promise<OwnedSession> {
    const id = newSessionId(this.#options.now())
    const hash = raw.length <= longest ? hashOf(raw) : ''
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

    // Whoever was to open its session may have died, and nobody was answered it
    await this.#release(stored)
    return this.use(raw, idempotencyKey, device)
  }

  /** Of many who present it at once, one gets the session's id that it chose. */
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

    // With `rotation: false` it may be one that was there already
    const { matchedCount } = await this.#run((tokens) =>
      tokens.updateOne({ _id: stored._id, sid: stored.sid! }, { $set: { sid, opened } }, durable)
    )

    if (matchedCount === 0) {
      throw unavailable() // so late that another gave it up: who comes again gets what that one got
    }

    return owned
  }

  async #openSession({ userId, sid, deviceId }: StoredToken, device: Device): Promise<OwnedSession> {
    const { sessions } = this.#options
    const { user } = await sessions.findOwner(userId)
    const session = await sessions.open(userId, {
      id: sid!,
      strategy: 'refresh-token',
      device: { ...device, ...(deviceId !== undefined && { id: deviceId }) }
    })

    return { user, session }
  }

  /** It was not exchanged for anything. */
  async #release({ _id, userId, sid }: StoredToken): Promise<void> {
    await this.#options.sessions.end(userId, sid!, 'replaced')
    await this.#run((tokens) =>
      tokens.updateOne({ _id, sid: sid! }, { $unset: { sid: 1, usedAt: 1, key: 1 } }, durable)
    )
  }

  /** The token once its session has been opened, for which it waits a little; null where it was not. */
  async #opened({ _id }: StoredToken): Promise<StoredToken | null> {
    for (const wait of patience) {
      await sleep(wait, undefined, { ref: false })

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
    const { user } = await sessions.findOwner(userId)
    const session = (await sessions.list(userId)).find(({ id }) => id === sid)
    const isRepeat = (key !== null && key === granted) || now() - usedAt!.getTime() < leeway

    if (session && isRepeat && session.refreshedAt.getTime() === opened!.getTime()) {
      return { user, session }
    }

    throw new Refused((await sessions.end(userId, sid!, 'reused')) ? 'reused' : 'revoked')
  }

  async #run<T>(operation: (tokens: Collection<StoredToken>) => Promise<T>): Promise<T> {
    try {
      const users = await this.#options.collection()

      return await operation(users.db.collection<StoredToken>(collectionName))
    } catch (error) {
      throw isUnreachable(error) ? unavailable() : error
    }
  }
}
