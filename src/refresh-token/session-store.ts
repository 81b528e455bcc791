import { EventEmitter } from 'node:events'
import type { Document } from 'mongodb'
import type { EndReasons } from './end-reasons.js'
import type { EntityCache } from './entity-cache.js'
import { Refused } from './errors.js'
import type { KnownSessions, SessionEventName } from './known-sessions.js'
import type { Settings } from './options.js'
import { isExpired, type EndReason, type SessionRecord } from './session.js'
import { SessionDocuments, requireSession, type OwnedSession } from './session-documents.js'
import type { EndedEvent, SessionEvents } from './session-events.js'
import { SessionOpening, type NewSession } from './session-opening.js'
import * as updates from './session-updates.js'
import type { RefreshToken } from './token.js'
import { TokenUse } from './token-use.js'
import type { OwnerFilter, UserDocuments } from './user-documents.js'

export interface SessionStoreOptions {
  settings: Settings
  users: UserDocuments
  /** The users active here. */
  cache: EntityCache
  /** What connections were told. */
  known: KnownSessions
  reasons: EndReasons
  /** ms since 1970 */
  now: () => number
}

interface EndOptions {
  except?: string | undefined
  set?: Document
  unchanged?: OwnerFilter
  by?: string | undefined
}

/**
 * The sessions in `sessions` on the user documents. What a verb changes is one atomic update of one document; what
 * it did is emitted as `created`, `patched` and `removed`. All verbs throw Unavailable without a database.
 */
export class SessionStore extends EventEmitter<SessionEvents> {
  readonly #documents: SessionDocuments
  readonly #opening: SessionOpening
  readonly #use: TokenUse
  readonly #users: UserDocuments
  readonly #cache: EntityCache
  readonly #known: KnownSessions
  readonly #now: () => number

  constructor({ known, ...options }: SessionStoreOptions) {
    super()
    this.#known = known
    this.#users = options.users
    this.#cache = options.cache
    this.#now = options.now
    this.#documents = new SessionDocuments({
      ...options,
      announce: (event, data) => this.#did(event, data)
    })
    this.#opening = new SessionOpening(this.#documents)
    this.#use = new TokenUse(this.#documents)
  }

  /**
   * Opens a session, and ends those that it displaces. With `rotation: false` a login that may reuse a stored
   * token gets the session it belongs to instead; of many such logins at once, one opens the session.
   *
   * @throws Refused `disabled`; NotAuthenticated when the user is gone, or `unchanged` did not hold
   */
  open(userId: string, login: NewSession): Promise<SessionRecord> {
    return this.#opening.open(userId, login)
  }

  /**
   * Uses a refresh token. Of many who present it at once, one makes the first use; the others are judged by what
   * they then find.
   *
   * @param idempotencyKey Allows the same client to repeat the use later than the leeway does
   * @returns The user and the session, whose `used` the successor has to name as `prev`
   * @throws Refused `expired`, `revoked`, `disabled`, `reused`: the last to the one presentation that ended the session
   */
  async use(token: RefreshToken, idempotencyKey?: string): Promise<OwnedSession> {
    const { repeated = false, ...owned } = await this.#use.use(token, idempotencyKey)

    this.emit('refreshed', { userId: token.sub, session: owned.session, repeated })
    return owned
  }

  /**
   * Finds a live session and its user: in memory, where the user is known. Nobody is refused by that, as a session may
   * have been opened a moment ago by another instance.
   *
   * @throws Refused `expired`, `revoked`, `disabled`
   */
  async find(userId: string, id: string): Promise<OwnedSession> {
    const known = this.#cache.get(userId)
    const session = known?.sessions.get(id)

    if (session && !isExpired(session, this.#now())) {
      const user = known!.user()

      if (!user.disabled) {
        return { user, session, views: known!.views }
      }
    }

    return this.#look(userId, id)
  }

  /**
   * Finds a user whose token belongs to no session, in memory where it is known.
   *
   * @throws Refused `revoked` where there is none, `disabled`
   */
  async findOwner(userId: string): Promise<Omit<OwnedSession, 'session'>> {
    const known = this.#cache.get(userId) ?? (await this.#cache.read(userId))
    const user = known?.user()

    if (!user) {
      throw new Refused('revoked')
    }
    if (user.disabled) {
      throw new Refused('disabled')
    }

    return { user, views: known!.views }
  }

  /** Says what happened to a session, here or elsewhere, unless it has been said. */
  announce<E extends SessionEventName>(event: E, data: SessionEvents[E][0]): void {
    if (this.#known.note(event, data.userId, data.session)) {
      this.emit<keyof SessionEvents>(event, data)
    }
  }

  /** A user's live sessions, newest first; none for a user that does not exist. */
  async list(userId: string): Promise<SessionRecord[]> {
    const user = await this.#users.find(this.#users.is(userId), { projection: { sessions: 1 } })

    return this.#live(user?.sessions)
  }

  /** Names the device of a live session; null where there is none. */
  async rename(userId: string, id: string, name: string): Promise<SessionRecord | null> {
    const owned = await this.#documents.change(userId, {
      match: updates.live(id, this.#now()),
      update: { $set: { 'sessions.$.device.name': name } }
    })

    this.#cache.forget(userId)
    return owned ? this.#documents.patched(userId, owned).session : null
  }

  /**
   * Ends a live session. Of many who end it at once, one gets the session and the others null.
   *
   * @param by The id of the user who does
   */
  async end(userId: string, id: string, reason: EndReason, by?: string): Promise<SessionRecord | null> {
    return this.#documents.pull(userId, updates.live(id, this.#now()), reason, by)
  }

  /** Takes away a session that is past its time, and says so; null where there is none. */
  async expire(userId: string, id: string): Promise<SessionRecord | null> {
    return this.#documents.pull(userId, { id, expiresAt: { $lte: new Date(this.#now()) } }, 'expired')
  }

  /**
   * Ends all sessions of a user, in one update with whatever else makes them end.
   *
   * @param except The id of the session that stays
   * @param set Fields of the user document to set in the same update
   * @param unchanged The update happens only while the document still has these values
   * @param by The id of the user who does
   * @returns The live ones that were ended; null where no document matched
   */
  async endAll(
    userId: string,
    reason: EndReason,
    { except, set, unchanged, by }: EndOptions = {}
  ): Promise<SessionRecord[] | null> {
    const before = await this.#users.update(
      { ...this.#users.is(userId), ...unchanged },
      // "$ne" of nothing is true of all
      { ...(set && { $set: set }), $pull: { sessions: { id: { $ne: except ?? null } } } },
      { returnDocument: 'before', projection: { sessions: 1 } }
    )
    const ended = before?.sessions?.filter(({ id }) => id !== except)

    return before && this.announceEnded(userId, ended, reason, by)
  }

  /** Says that sessions ended which are gone from the database already, with their user. Returns the live ones. */
  announceEnded(
    userId: string,
    sessions: SessionRecord[] | undefined,
    reason: EndReason,
    by?: string
  ): SessionRecord[] {
    const ended = this.#live(sessions)

    this.#documents.ended(
      userId,
      ended.map((session) => ({ session, reason })),
      by
    )
    return ended
  }

  #did<E extends SessionEventName>(event: E, data: SessionEvents[E][0]): void {
    this.announce(event, data)

    if (event === 'created') {
      this.emit('opened', data)
    }
    if (event === 'removed') {
      this.emit('ended', data as EndedEvent)
    }
  }

  /** Finds it in the database. */
  async #look(userId: string, id: string): Promise<OwnedSession> {
    const owned = this.#cache.isOpen ? await this.#learn(userId, id) : await this.#documents.read(userId, id)

    if (isExpired(owned.session, this.#now())) {
      throw new Refused('expired')
    }

    return owned
  }

  /** Reads a user with all sessions, for the next call. */
  async #learn(userId: string, id: string): Promise<OwnedSession> {
    const known = await this.#cache.read(userId)
    const owned = requireSession(known?.user(), known?.sessions.get(id))

    return { ...owned, views: known!.views }
  }

  /** The live ones, newest first. */
  #live(sessions: SessionRecord[] = []): SessionRecord[] {
    const now = this.#now()

    return sessions.filter((session) => !isExpired(session, now)).sort(byAge)
  }
}

function byAge(a: SessionRecord, b: SessionRecord): number {
  return b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1)
}
