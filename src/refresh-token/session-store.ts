import { NotAuthenticated } from '@feathersjs/errors'
import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { Document } from 'mongodb'
import type { EndReasons } from './end-reasons.js'
import type { EntityCache } from './entity-cache.js'
import { Refused, unavailable } from './errors.js'
import type { KnownSessions } from './known-sessions.js'
import type { Settings } from './options.js'
import {
  displaced,
  expiryOf,
  hashKey,
  isExpired,
  judge,
  newKeptToken,
  openedAt,
  type Device,
  type EndReason,
  type EndedSession,
  type SessionRecord
} from './session.js'
import * as updates from './session-updates.js'
import type { SessionUpdate } from './session-updates.js'
import type { RefreshToken } from './token.js'
import type { OwnerFilter, SessionOwner, UserDocuments } from './user-documents.js'

/** What was read or written: the user, without password and other sessions, and the session. */
export interface OwnedSession {
  user: SessionOwner
  session: SessionRecord
  /** What was made of the user, where it is true as long as the user stays as it is. */
  views?: Map<string, Document>
}

/** What a login asks for. */
export interface NewSession {
  id: string
  strategy: string
  device: Device
  /** When the session of a login that gets no refresh token expires; with one, the settings say. */
  expiresAt?: Date
  /** Opened only while the user document still has these values: the password that was verified, say. */
  unchanged?: OwnerFilter
}

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

/** What happened to a session. The service `sessions` says it to the user's sockets. */
export interface SessionEvent {
  userId: string
  session: SessionRecord
}

export interface SessionEvents {
  created: [SessionEvent]
  patched: [SessionEvent]
  removed: [EndedEvent]
}

export interface EndedEvent extends SessionEvent {
  reason: EndReason
}

const attempts = 10 // each is lost to another request that moved the session on, or to a read just behind a write

/**
 * The sessions in `sessions` on the user documents. What a verb changes is one atomic update of one document; what
 * it did is emitted as `created`, `patched` and `removed`. All verbs throw Unavailable without a database.
 */
export class SessionStore extends EventEmitter<SessionEvents> {
  readonly #settings: Settings
  readonly #users: UserDocuments
  readonly #cache: EntityCache
  readonly #known: KnownSessions
  readonly #reasons: EndReasons
  readonly #now: () => number

  constructor({ settings, users, cache, known, reasons, now }: SessionStoreOptions) {
    super()
    this.#settings = settings
    this.#users = users
    this.#cache = cache
    this.#known = known
    this.#reasons = reasons
    this.#now = now
  }

  /**
   * Opens a session, and ends those that it displaces. With `rotation: false` a login that may reuse a stored
   * token gets the session it belongs to instead; of many such logins at once, one opens the session.
   *
   * @throws Refused `disabled`; NotAuthenticated when the user is gone, or `unchanged` did not hold
   */
  async open(userId: string, login: NewSession): Promise<SessionRecord> {
    const reusable = this.#reusableBy(login)

    for (let attempt = 0; attempt < attempts; attempt++) {
      const reused = reusable && (await this.#reopen(userId, login, reusable))
      const session = reused ?? (await this.#insert(userId, login, reusable))

      if (session) {
        return session
      }

      await this.#requireOpenable(userId, login)
    }

    throw unavailable()
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
    const key = idempotencyKey === undefined ? undefined : hashKey(token.jti, idempotencyKey)

    // Where `maxLifetime` was shortened, a session may be past it that has not expired by what it was told
    if (openedAt(token.sid) + this.#settings.absoluteLife <= this.#now()) {
      throw new Refused('expired')
    }

    for (let attempt = 0; attempt < attempts; attempt++) {
      const used = (await this.#firstUse(token, key)) ?? (await this.#useAgain(token, key))

      if (used) {
        return used
      }
    }

    throw unavailable()
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

  /** Says what happened to a session, here or elsewhere, unless it has been said. */
  announce<E extends keyof SessionEvents>(event: E, data: SessionEvents[E][0]): void {
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
    const owned = await this.#change(userId, {
      match: updates.live(id, this.#now()),
      update: { $set: { 'sessions.$.device.name': name } }
    })

    this.#cache.forget(userId)
    return owned ? this.#patched(userId, owned).session : null
  }

  /** Ends a live session. Of many who end it at once, one gets the session and the others null. */
  async end(userId: string, id: string, reason: EndReason): Promise<SessionRecord | null> {
    return this.#pull(userId, updates.live(id, this.#now()), reason)
  }

  /** Takes away a session that is past its time, and says so; null where there is none. */
  async expire(userId: string, id: string): Promise<SessionRecord | null> {
    return this.#pull(userId, { id, expiresAt: { $lte: new Date(this.#now()) } }, 'expired')
  }

  /**
   * Ends all sessions of a user, in one update with whatever else makes them end.
   *
   * @param except The id of the session that stays
   * @param set Fields of the user document to set in the same update
   * @param unchanged The update happens only while the document still has these values
   * @returns The live ones that were ended; null where no document matched
   */
  async endAll(
    userId: string,
    reason: EndReason,
    { except, set, unchanged }: { except?: string | undefined; set?: Document; unchanged?: OwnerFilter } = {}
  ): Promise<SessionRecord[] | null> {
    const before = await this.#users.update(
      { ...this.#users.is(userId), ...unchanged },
      // "$ne" of nothing is true of all
      { ...(set && { $set: set }), $pull: { sessions: { id: { $ne: except ?? null } } } },
      { returnDocument: 'before', projection: { sessions: 1 } }
    )
    const ended = before?.sessions?.filter(({ id }) => id !== except)

    return before && this.announceEnded(userId, ended, reason)
  }

  /** Says that sessions ended which are gone from the database already, with their user. Returns the live ones. */
  announceEnded(userId: string, sessions: SessionRecord[] | undefined, reason: EndReason): SessionRecord[] {
    const ended = this.#live(sessions)

    this.#ended(
      userId,
      ended.map((session) => ({ session, reason }))
    )
    return ended
  }

  async #firstUse(token: RefreshToken, key: string | undefined): Promise<OwnedSession | undefined> {
    const now = this.#now()
    const update = this.#settings.rotation
      ? updates.firstUse(token, key, this.#settings, now)
      : updates.keptUse(token, now)
    const owned = await this.#change(token.sub, update, { disabled: { $ne: true } })

    return owned && this.#patched(token.sub, owned)
  }

  /** What is left of `use` when it was not the first: a repeat, or the end of the session. */
  async #useAgain(token: RefreshToken, key: string | undefined): Promise<OwnedSession | undefined> {
    // What a majority has, no failover can take back: nobody is judged by a write that was lost
    const { user, session } = await this.#read(token.sub, token.sid, { level: 'majority' })
    const { leeway, rotation } = this.#settings
    const now = this.#now()
    const verdict = judge(session, token, { leeway, key, now })

    if (verdict === 'expired') {
      throw new Refused('expired')
    }
    if (verdict === 'reuse') {
      // RFC 9700 §4.14.2: the token is in two hands, and we can't tell whose are the right ones
      throw new Refused((await this.end(token.sub, token.sid, 'reused')) ? 'reused' : 'revoked')
    }
    if (!rotation && !session.token) {
      const owned = await this.#change(token.sub, updates.keep(session, token, now))

      return owned && this.#patched(token.sub, owned)
    }
    if (verdict === 'first use') {
      return undefined
    }

    return key === undefined || session.keys.includes(key)
      ? { user, session }
      : this.#change(token.sub, updates.repeat(token, key, now))
  }

  /** Which stored token a login may be answered with; undefined where it has to open a session of its own. */
  #reusableBy({ device, expiresAt }: NewSession): Document | undefined {
    const { rotation, reuse, refreshTokens } = this.#settings

    if (rotation || expiresAt || reuse === 'never' || (reuse === 'device' && device.id === undefined)) {
      return undefined
    }

    return {
      expiresAt: { $gt: new Date(this.#now()) },
      'token.kid': { $in: [...refreshTokens.keyring.byId.keys()] },
      ...(reuse === 'device' && { 'device.id': device.id })
    }
  }

  async #reopen(userId: string, login: NewSession, reusable: Document): Promise<SessionRecord | undefined> {
    const device = this.#settings.reuse === 'device' ? login.device : {}
    const update = updates.reopened(reusable, device, this.#now())
    const owned = await this.#change(userId, update, { ...login.unchanged, disabled: { $ne: true } })

    return owned && this.#patched(userId, owned).session
  }

  async #insert(userId: string, login: NewSession, reusable?: Document): Promise<SessionRecord | undefined> {
    const { maxSessions, reuse } = this.#settings
    const now = this.#now()
    const session = this.#record(login, now)
    // A login without a refresh token does not take the place of one that has it
    const deviceId = reuse === 'never' || login.expiresAt ? undefined : login.device.id
    const before = await this.#users.update(
      {
        ...this.#users.is(userId),
        ...login.unchanged,
        disabled: { $ne: true },
        ...(reusable && { sessions: { $not: { $elemMatch: reusable } } })
      },
      updates.insertion(session, { deviceId, maxSessions, now }),
      { returnDocument: 'before', projection: { sessions: 1 } }
    )

    if (!before) {
      return undefined
    }

    this.#ended(userId, displaced(before.sessions ?? [], { deviceId, maxSessions, now }))
    this.announce('created', { userId, session })
    return session
  }

  #record({ id, strategy, device, expiresAt }: NewSession, now: number): SessionRecord {
    const { rotation, refreshTokens } = this.#settings
    const renewable = expiresAt === undefined

    return {
      id,
      strategy,
      device,
      renewable,
      used: randomUUID(),
      keys: [],
      ...(renewable && !rotation && { token: newKeptToken(refreshTokens.keyring.newest.kid, now) }),
      createdAt: new Date(now),
      refreshedAt: new Date(now),
      expiresAt: expiresAt ?? expiryOf(id, this.#settings, now)
    }
  }

  /** Why no session could be opened; nothing where it was only another login that was faster. */
  async #requireOpenable(userId: string, { unchanged }: NewSession): Promise<void> {
    const user = await this.#users.find(
      { ...this.#users.is(userId), ...unchanged },
      { projection: { disabled: 1 } }
    )

    if (!user) {
      throw new NotAuthenticated('Invalid login')
    }
    if (user.disabled) {
      throw new Refused('disabled')
    }
  }

  /** Finds it in the database. */
  async #look(userId: string, id: string): Promise<OwnedSession> {
    const owned = this.#cache.isOpen ? await this.#learn(userId, id) : await this.#read(userId, id)

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

  /** Sessions of a user have ended: it is forgotten here before anybody hears of it. */
  #ended(userId: string, ended: EndedSession[]): void {
    this.#cache.forget(userId)

    if (ended.length > 0) {
      void this.#reasons.note(ended.map(({ session, reason }) => ({ id: session.id, reason })))
    }
    for (const { session, reason } of ended) {
      this.announce('removed', { userId, session, reason })
    }
  }

  /** The session and its user, whatever the session's time. */
  async #read(userId: string, id: string, readConcern?: { level: 'majority' }): Promise<OwnedSession> {
    const user = await this.#users.find(this.#users.is(userId), {
      projection: this.#users.withSession({ id }),
      ...(readConcern && { readConcern })
    })

    const { sessions, ...owner } = user ?? {}

    return requireSession(user && owner, sessions?.[0])
  }

  /** Updates one session; undefined where the user has none that matches. */
  async #change(
    userId: string,
    { match, update }: SessionUpdate,
    condition?: OwnerFilter
  ): Promise<OwnedSession | undefined> {
    const user = await this.#users.update(
      { ...this.#users.is(userId), ...condition, sessions: { $elemMatch: match } },
      update,
      // By its id where it is known: the update may have changed what it was found by
      { returnDocument: 'after', projection: this.#users.withSession(match.id ? { id: match.id } : match) }
    )

    return user ? split(user) : undefined
  }

  async #pull(userId: string, session: Document, reason: EndReason): Promise<SessionRecord | null> {
    const before = await this.#users.update(
      { ...this.#users.is(userId), sessions: { $elemMatch: session } },
      { $pull: { sessions: session } },
      { returnDocument: 'before', projection: { sessions: { $elemMatch: session } } }
    )

    const ended = before?.sessions?.[0]

    if (ended) {
      this.#ended(userId, [{ session: ended, reason }])
    }

    return ended ?? null
  }

  #patched(userId: string, owned: OwnedSession): OwnedSession {
    this.announce('patched', { userId, session: owned.session })

    return owned
  }

  /** The live ones, newest first. */
  #live(sessions: SessionRecord[] = []): SessionRecord[] {
    const now = this.#now()

    return sessions.filter((session) => !isExpired(session, now)).sort(byAge)
  }
}

function requireSession(
  user: SessionOwner | null | undefined,
  session: SessionRecord | undefined
): OwnedSession {
  if (user?.disabled) {
    throw new Refused('disabled')
  }
  if (!user || !session) {
    throw new Refused('revoked')
  }

  return { user, session }
}

function split({ sessions, ...user }: SessionOwner): OwnedSession {
  return { user, session: sessions![0]! }
}

function byAge(a: SessionRecord, b: SessionRecord): number {
  return b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1)
}
