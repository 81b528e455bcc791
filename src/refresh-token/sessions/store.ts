import { EventEmitter } from 'node:events'
import type { ClientSession, Document } from 'mongodb'
import { Refused } from '../errors.js'
import type { Settings } from '../settings/settings.js'
import type { RefreshToken } from '../tokens/refresh-token.js'
import type { SessionChange, SessionEvents } from './events.js'
import { marked } from './gate.js'
import { openSession, type Credentials, type NewSession } from './opening.js'
import { SessionRecords, requireUser, type OwnedSession, type SessionRecordsOptions } from './records.js'
import { useRefreshToken } from './rotation.js'
import { stepUp } from './step-up.js'
import { isExpired, live, type EndReason, type ListedSession, type SessionRecord } from './session.js'
import { liveOf, type OwnerFilter, type SessionOwner, type Users } from './users.js'

export interface SessionStoreOptions {
  users: Users
  settings: Settings
  /** ms since 1970 */
  now: () => number
  /** Finds as `find` does, but from memory if possible. */
  recall?: SessionRecordsOptions['recall']
}

interface EndOptions {
  except?: string | undefined
  update?: Document
  unchanged?: OwnerFilter
  by?: string | undefined
  within?: <T>(update: (session?: ClientSession) => Promise<T>) => Promise<T>
}

/**
 * The sessions on the user documents. Each verb that changes something is one atomic update of one
 * document, acknowledged by the majority, and emits what it did. All verbs throw Unavailable without a database.
 */
export class SessionStore extends EventEmitter<SessionEvents> {
  readonly #records: SessionRecords
  readonly #users: Users
  readonly #now: () => number

  constructor({ users, settings, now, recall = (userId, id) => this.find(userId, id) }: SessionStoreOptions) {
    super()
    this.#users = users
    this.#now = now
    this.#records = new SessionRecords({
      users,
      settings,
      now,
      recall,
      changed: (change) => this.#changed(change)
    })
  }

  /**
   * Opens a session and ends those that it displaces. With `rotation: false` a login that may reuse a stored token gets
   * its session instead; of many such logins at once, one opens the session.
   *
   * @throws Refused `disabled`, or `invalid` for a factor that was used meanwhile; GateClosed for a user with a factor;
   *   NotAuthenticated when the user is gone, or `unchanged` did not hold
   */
  open(userId: string, login: NewSession): Promise<SessionRecord> {
    return openSession(this.#records, userId, login)
  }

  /** Notes in a session that its user has given credentials again. @throws as `open`; Refused `revoked` */
  stepUp(userId: string, id: string, credentials: Credentials): Promise<SessionRecord> {
    return stepUp(this.#records, userId, id, credentials)
  }

  /**
   * Uses a refresh token. Of many uses at once, one is the first; the others are judged by the session it left behind.
   *
   * @param idempotencyKey Lets the same client repeat the use after the leeway
   * @returns The user and the session, whose `used` the successor has to name as `prev`
   * @throws Refused `expired`, `revoked`, `disabled`, `reused`: the last only for the one use that ended the session
   */
  async use(token: RefreshToken, idempotencyKey?: string): Promise<OwnedSession> {
    const { repeated = false, ...owned } = await useRefreshToken(this.#records, token, idempotencyKey)

    this.emit('refreshed', { userId: token.sub, session: owned.session, repeated })
    return owned
  }

  /** The use of a refresh token was not answered: it may be repeated, even after the leeway, till its successor is used. */
  async unanswered({ sub, sid, jti }: RefreshToken): Promise<void> {
    const match = { ...live(sid, this.#now()), used: jti }

    await this.#records.update(sub, { match, update: { $set: { unanswered: true } } })
  }

  /**
   * Finds a live session and its user.
   *
   * @throws Refused `expired`, `revoked`, `disabled`
   */
  async find(userId: string, id: string): Promise<OwnedSession> {
    const owned = await this.#records.read(userId, id)

    if (isExpired(owned.session, this.#now())) {
      throw new Refused('expired')
    }

    return owned
  }

  /**
   * Finds a user, for a token that belongs to no session.
   *
   * @throws Refused `revoked` when there is none, `disabled`
   */
  async findUser(userId: string): Promise<SessionOwner> {
    return this.#users.withoutSessions(requireUser(await this.#users.read(userId)))
  }

  /** A user's live sessions, newest first; none for a user that does not exist. */
  async list(userId: string): Promise<ListedSession[]> {
    const projection = { [this.#users.field]: 1, 'factors.kind': 1 }
    const user = await this.#users.find(this.#users.is(userId), { projection })

    return user ? marked(user, liveOf(this.#users.sessionsOf(user), this.#now())) : []
  }

  /** Names the device of a live session; null when there is none. */
  async rename(userId: string, id: string, name: string): Promise<SessionRecord | null> {
    const owned = await this.#records.update(userId, {
      match: live(id, this.#now()),
      update: { $set: { 'device.name': name } }
    })

    if (owned) {
      this.#changed({ userId, renamed: owned.session })
    }

    return owned?.session ?? null
  }

  /**
   * Ends a live session. Of many who end it at once, one gets the session and the others null.
   *
   * @param by The id of the signed-in user who ends it
   */
  async end(userId: string, id: string, reason: EndReason, by?: string): Promise<SessionRecord | null> {
    return this.#records.remove(userId, live(id, this.#now()), reason, by)
  }

  /** Removes a session that has expired; null when there is none. */
  async expire(userId: string, id: string): Promise<SessionRecord | null> {
    return this.#records.remove(userId, { id, expiresAt: { $lte: new Date(this.#now()) } }, 'expired')
  }

  /**
   * Ends all sessions of a user, in one update with the change that makes them end.
   *
   * @param except The id of the session that stays
   * @param update What else to update of the user document, with operators
   * @param unchanged The update happens only while the document still has these values
   * @param by The id of the signed-in user who ends them
   * @param within Runs the update, in a transaction perhaps, and resolves once it is committed
   * @returns The live ones that were ended; null when no document matched
   */
  async endAll(
    userId: string,
    reason: EndReason,
    { except, update: more, unchanged, by, within = (update) => update() }: EndOptions = {}
  ): Promise<SessionRecord[] | null> {
    const { field } = this.#users
    const before = await within((session) =>
      this.#users.update(
        { ...this.#users.is(userId), ...unchanged },
        // "$ne: null" matches all
        { ...more, $pull: { ...more?.$pull, [field]: { id: { $ne: except ?? null } } } },
        { returnDocument: 'before', projection: { [field]: 1 }, ...(session && { session }) }
      )
    )
    if (!before) {
      return null
    }

    const ended = this.#users.sessionsOf(before).filter(({ id }) => id !== except)

    return this.announceEnded(userId, ended, reason, by)
  }

  /** Emits the end of sessions that are gone from the database already, with their user. Returns the live ones. */
  announceEnded(
    userId: string,
    sessions: SessionRecord[] | undefined,
    reason: EndReason,
    by?: string
  ): SessionRecord[] {
    const ended = liveOf(sessions, this.#now())

    this.#changed({ userId, ended: ended.map((session) => ({ session, reason })), by })
    return ended
  }

  #changed(change: SessionChange): void {
    const { userId, opened, ended = [], by } = change

    this.emit('changed', change)

    for (const { session, reason } of ended) {
      this.emit('ended', { userId, session, reason, by })
    }
    if (opened) {
      this.emit('opened', { userId, session: opened })
    }
  }
}
