import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { Collection, Document, Filter, FindOneAndUpdateOptions, UpdateFilter } from 'mongodb'
import { NotAuthenticated } from '@feathersjs/errors'
import { Refused, isUnreachable, unavailable } from './errors.js'
import type { Settings } from './options.js'
import {
  displaced,
  expiryOf,
  hashKey,
  isExpired,
  judge,
  keysRemembered,
  newKeptToken,
  type Device,
  type EndReason,
  type SessionRecord
} from './session.js'
import type { RefreshToken } from './token.js'

/** A user document that holds sessions. */
export interface SessionOwner extends Document {
  disabled?: boolean
  sessions?: SessionRecord[]
}

/** What was read or written: the user, without the other sessions, and the session. */
export interface OwnedSession<T extends SessionOwner = SessionOwner> {
  user: T
  session: SessionRecord
}

/** What a login asks for. */
export interface NewSession {
  id: string
  strategy: string
  device: Device
  /** When the session of a login that gets no refresh token expires; with one, the settings say. */
  expiresAt?: Date
  /** Opened only while the user document still has these values: the password that was verified, say. */
  unchanged?: Filter<SessionOwner>
}

/** Where the sessions are. */
export interface SessionStoreOptions {
  settings: Settings
  /** Name of the field that holds the user's id: `_id` as a rule. */
  idField: string
  /** The users' collection. */
  collection: () => Promise<Collection>
  /** Name of the field that holds the password's hash, which is never read here. */
  passwordField: string
  /** Turns the `sub` of a token into what `idField` holds. */
  toId: (sub: string) => unknown
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
  removed: [SessionEvent & { reason: EndReason }]
}

// A session that was answered must survive the loss of a server, and an ended one must stay ended.
const durable = { writeConcern: { w: 'majority', journal: true } } satisfies FindOneAndUpdateOptions

const attempts = 10 // each is lost to another request that moved the session on, or to a read just behind a write

/**
 * The sessions in `sessions` on the user documents. Each verb is one atomic update of one document, acknowledged by
 * the majority; what it did is emitted as `created`, `patched` and `removed`.
 */
export class SessionStore extends EventEmitter<SessionEvents> {
  readonly #options: SessionStoreOptions

  constructor(options: SessionStoreOptions) {
    super()
    this.#options = options
  }

  /**
   * Opens a session, and ends those that it displaces. With `rotation: false` a login that may reuse a stored
   * token gets the session it belongs to instead; of many such logins at once, one opens the session.
   *
   * @throws Refused `disabled`, `revoked` when the user is gone; NotAuthenticated when `unchanged` did not hold
   */
  async open(userId: string, login: NewSession): Promise<SessionRecord> {
    const reusable = this.#reusableBy(login)

    for (let attempt = 0; attempt < attempts; attempt++) {
      const reused = reusable && (await this.#reopen(userId, login, reusable))
      const session = reused || (await this.#insert(userId, login, reusable))

      if (session) {
        return session
      }

      const user = await this.#owner(userId)

      if (!reusable || !(await this.#matches(userId, login.unchanged))) {
        throw user.disabled ? new Refused('disabled') : new NotAuthenticated('Invalid login')
      }
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

    for (let attempt = 0; attempt < attempts; attempt++) {
      const used = await this.#firstUse(token, key)

      if (used) {
        this.#tell('patched', token.sub, used.session)
        return used
      }

      // Nothing matched. What a majority has, no failover can take back: nobody is judged by a lost write.
      const owned = await this.#owned(token.sub, token.sid, { readConcern: { level: 'majority' } })
      const again = await this.#useAgain(owned, token, key)

      if (again) {
        return again
      }
    }

    throw unavailable()
  }

  /**
   * Finds a live session and its user.
   *
   * @throws Refused `expired`, `revoked`, `disabled`
   */
  async find(userId: string, id: string): Promise<OwnedSession> {
    const owned = await this.#owned(userId, id)

    if (isExpired(owned.session, this.#options.now())) {
      throw new Refused('expired')
    }

    return owned
  }

  /** A user's live sessions, newest first; none for a user that does not exist. */
  async list(userId: string): Promise<SessionRecord[]> {
    const user = await this.#run((users) => users.findOne(this.#is(userId), { projection: { sessions: 1 } }))

    return (user?.sessions ?? []).filter(this.#isLive).sort(byAge)
  }

  /** Names the device of a live session; null where there is none. */
  async rename(userId: string, id: string, name: string): Promise<SessionRecord | null> {
    const user = await this.#update(
      { ...this.#is(userId), sessions: { $elemMatch: this.#live(id) } },
      { $set: { 'sessions.$.device.name': name } },
      { returnDocument: 'after', projection: this.#only(id) }
    )
    const session = user?.sessions?.[0]

    if (session) {
      this.#tell('patched', userId, session)
    }

    return session ?? null
  }

  /** Ends a live session. Of many who end it at once, one gets the session and the others null. */
  async end(userId: string, id: string, reason: EndReason): Promise<SessionRecord | null> {
    return this.#pull(userId, this.#live(id), reason)
  }

  /** Takes away a session that is past its time, and says so; null where there is none. */
  async expire(userId: string, id: string): Promise<SessionRecord | null> {
    return this.#pull(userId, { id, expiresAt: { $lte: new Date(this.#options.now()) } }, 'expired')
  }

  /**
   * Ends all sessions of a user, in one update with whatever else makes them end.
   *
   * @param reason Why; without one only the rest of the update is made
   * @param except The id of the session that stays
   * @param set Fields of the user document to set in the same update
   * @param unchanged The update happens only while the document still has these values
   * @returns The live ones that were ended; null where no document matched
   */
  async endAll(
    userId: string,
    reason: EndReason | undefined,
    { except, set, unchanged }: { except?: string | undefined; set?: Document; unchanged?: Filter<SessionOwner> } = {}
  ): Promise<SessionRecord[] | null> {
    const before = await this.#update(
      { ...this.#is(userId), ...unchanged },
      {
        ...(set && { $set: set }),
        // "$ne" of nothing is true of all
        ...(reason && { $pull: { sessions: { id: { $ne: except ?? null } } } })
      },
      { returnDocument: 'before', projection: { sessions: 1 } }
    )

    return reason && before
      ? this.announceEnded(userId, before.sessions?.filter(({ id }) => id !== except), reason)
      : before && []
  }

  /** Says that sessions ended which are gone from the database already, with their user. Returns the live ones. */
  announceEnded(userId: string, sessions: SessionRecord[] = [], reason: EndReason): SessionRecord[] {
    const ended = sessions.filter(this.#isLive).sort(byAge)

    for (const session of ended) {
      this.emit('removed', { userId, session, reason })
    }

    return ended
  }

  async #firstUse(token: RefreshToken, key: string | undefined): Promise<OwnedSession | undefined> {
    const { settings } = this.#options
    const now = new Date(this.#options.now())
    const user = await this.#update(
      {
        ...this.#is(token.sub),
        disabled: { $ne: true },
        sessions: {
          $elemMatch: {
            ...this.#live(token.sid),
            ...(settings.rotation ? { used: token.prev } : { 'token.jti': token.jti })
          }
        }
      },
      settings.rotation
        ? {
            $set: {
              'sessions.$.used': token.jti,
              'sessions.$.keys': key === undefined ? [] : [key],
              'sessions.$.refreshedAt': now,
              'sessions.$.expiresAt': expiryOf(token.sid, settings, now.getTime())
            },
            // of a session that was opened before rotation was turned on
            $unset: { 'sessions.$.token': '' }
          }
        : { $set: { 'sessions.$.refreshedAt': now } },
      { returnDocument: 'after', projection: this.#only(token.sid) }
    )

    return user ? split(user) : undefined
  }

  /** What is left of `use` when it was not the first: a repeat, or the end of the session. */
  async #useAgain(
    { user, session }: OwnedSession,
    token: RefreshToken,
    key: string | undefined
  ): Promise<OwnedSession | undefined> {
    const { settings, now } = this.#options
    const verdict = judge(session, token, { leeway: settings.leeway, key, now: now() })

    if (verdict === 'expired') {
      throw new Refused('expired')
    }
    if (verdict === 'reuse') {
      // RFC 9700 §4.14.2: the token is in two hands, and we can't tell whose are the right ones
      const ended = await this.end(token.sub, token.sid, 'reused')

      throw new Refused(ended ? 'reused' : 'revoked')
    }
    if (!settings.rotation && !session.token) {
      return this.#keep(session, token)
    }
    if (verdict === 'first use') {
      return undefined
    }

    return key === undefined || session.keys.includes(key) ? { user, session } : this.#repeat(token, key)
  }

  /** Grants a repeat, and remembers the key it came under; undefined when the successor has been used meanwhile. */
  async #repeat(token: RefreshToken, key: string): Promise<OwnedSession | undefined> {
    const user = await this.#update(
      { ...this.#is(token.sub), sessions: { $elemMatch: { ...this.#live(token.sid), used: token.jti } } },
      { $push: { 'sessions.$.keys': { $each: [key], $slice: -keysRemembered } } },
      { returnDocument: 'after', projection: this.#only(token.sid) }
    )

    return user ? split(user) : undefined
  }

  /** Rotation was turned off since the session was opened: the token at hand becomes the one that stays. */
  async #keep(session: SessionRecord, token: RefreshToken): Promise<OwnedSession | undefined> {
    const user = await this.#update(
      {
        ...this.#is(token.sub),
        sessions: { $elemMatch: { ...this.#live(token.sid), used: session.used, token: { $exists: false } } }
      },
      {
        $set: {
          'sessions.$.used': token.prev,
          'sessions.$.token': { jti: token.jti, iat: token.iat, kid: token.kid },
          'sessions.$.refreshedAt': new Date(this.#options.now()),
          'sessions.$.expiresAt': new Date(token.exp * 1000)
        }
      },
      { returnDocument: 'after', projection: this.#only(token.sid) }
    )

    return user ? split(user) : undefined
  }

  /** Which stored token a login may be answered with; undefined where it has to open a session of its own. */
  #reusableBy({ device, expiresAt }: NewSession): Document | undefined {
    const { rotation, reuse, refreshTokens } = this.#options.settings

    if (rotation || expiresAt || reuse === 'never' || (reuse === 'device' && device.id === undefined)) {
      return undefined
    }

    return {
      expiresAt: { $gt: new Date(this.#options.now()) },
      'token.kid': { $in: [...refreshTokens.keyring.byId.keys()] },
      ...(reuse === 'device' && { 'device.id': device.id })
    }
  }

  async #reopen(userId: string, login: NewSession, reusable: Document): Promise<SessionRecord | undefined> {
    const { settings, now } = this.#options
    const seen = settings.reuse === 'device' ? Object.entries(login.device) : []
    const user = await this.#update(
      { ...this.#is(userId), ...login.unchanged, disabled: { $ne: true }, sessions: { $elemMatch: reusable } },
      {
        $set: {
          'sessions.$.refreshedAt': new Date(now()),
          ...Object.fromEntries(seen.map(([key, value]) => [`sessions.$.device.${key}`, value]))
        }
      },
      { returnDocument: 'after', projection: { sessions: { $elemMatch: reusable } } }
    )
    const session = user?.sessions?.[0]

    if (session) {
      this.#tell('patched', userId, session)
    }

    return session
  }

  async #insert(userId: string, login: NewSession, reusable?: Document): Promise<SessionRecord | undefined> {
    const { maxSessions, reuse } = this.#options.settings
    const now = this.#options.now()
    const session = this.#record(login, now)
    // A login without a refresh token does not take the place of one that has it
    const deviceId = reuse === 'never' || login.expiresAt ? undefined : login.device.id
    const before = await this.#update(
      {
        ...this.#is(userId),
        ...login.unchanged,
        disabled: { $ne: true },
        ...(reusable && { sessions: { $not: { $elemMatch: reusable } } })
      },
      [{ $set: { sessions: { $concatArrays: [this.#room(deviceId, now), [{ $literal: session }]] } } }],
      { returnDocument: 'before', projection: { sessions: 1 } }
    )

    if (!before) {
      return undefined
    }

    for (const ended of displaced(before.sessions ?? [], { deviceId, maxSessions, now })) {
      this.emit('removed', { userId, ...ended })
    }

    this.#tell('created', userId, session)
    return session
  }

  #record({ id, strategy, device, expiresAt }: NewSession, now: number): SessionRecord {
    const { settings } = this.#options
    const renewable = expiresAt === undefined
    const keepsToken = renewable && !settings.rotation

    return {
      id,
      strategy,
      device,
      renewable,
      used: randomUUID(),
      keys: [],
      ...(keepsToken && { token: newKeptToken(settings.refreshTokens.keyring.newest.kid, now) }),
      createdAt: new Date(now),
      refreshedAt: new Date(now),
      expiresAt: expiresAt ?? expiryOf(id, settings, now)
    }
  }

  /** The sessions that stay when one is added, as an aggregation expression: the counterpart of `displaced`. */
  #room(deviceId: string | undefined, now: number): Document {
    const stays = [
      { $gt: ['$$this.expiresAt', new Date(now)] },
      ...(deviceId === undefined ? [] : [{ $ne: ['$$this.device.id', { $literal: deviceId }] }])
    ]
    const others = { $filter: { input: { $ifNull: ['$sessions', []] }, cond: { $and: stays } } }
    const sorted = { $sortArray: { input: others, sortBy: { renewable: 1, refreshedAt: 1, id: 1 } } }

    return { $slice: [sorted, 1 - this.#options.settings.maxSessions] }
  }

  /** The session and its user, whatever the session's time. */
  async #owned(userId: string, id: string, options = {}): Promise<OwnedSession> {
    const user = await this.#owner(userId, { projection: this.#only(id), ...options })

    if (user.disabled) {
      throw new Refused('disabled')
    }
    if (!user.sessions?.length) {
      throw new Refused('revoked')
    }

    return split(user)
  }

  async #owner(userId: string, options = {}): Promise<SessionOwner> {
    const user = await this.#run((users) => users.findOne(this.#is(userId), options))

    if (!user) {
      throw new Refused('revoked')
    }

    return user
  }

  async #matches(userId: string, unchanged: Filter<SessionOwner> = {}): Promise<boolean> {
    const filter = { ...this.#is(userId), ...unchanged, disabled: { $ne: true } }

    return (await this.#run((users) => users.findOne(filter, { projection: { _id: 1 } }))) !== null
  }

  async #pull(userId: string, session: Filter<SessionRecord>, reason: EndReason): Promise<SessionRecord | null> {
    const before = await this.#update(
      { ...this.#is(userId), sessions: { $elemMatch: session } },
      { $pull: { sessions: session } },
      { returnDocument: 'before', projection: { sessions: { $elemMatch: session } } }
    )
    const ended = before?.sessions?.[0]

    if (ended) {
      this.emit('removed', { userId, session: ended, reason })
    }

    return ended ?? null
  }

  #is(userId: string): Filter<SessionOwner> {
    return { [this.#options.idField]: this.#options.toId(userId) }
  }

  /** All of the user but the password and the other sessions: up to twenty that nobody would read. */
  #only(id: string): Document {
    return { [this.#options.passwordField]: 0, sessions: { $elemMatch: { id } } }
  }

  #live(id: string) {
    return { id, expiresAt: { $gt: new Date(this.#options.now()) } }
  }

  #isLive = (session: SessionRecord): boolean => !isExpired(session, this.#options.now())

  #tell(event: 'created' | 'patched', userId: string, session: SessionRecord): void {
    this.emit(event, { userId, session })
  }

  #update(
    filter: Filter<SessionOwner>,
    update: Document | Document[],
    options: FindOneAndUpdateOptions
  ): Promise<SessionOwner | null> {
    // The driver's type knows no "sessions.$.used"
    const typed = update as UpdateFilter<SessionOwner>

    return this.#run((users) => users.findOneAndUpdate(filter, typed, { ...durable, ...options }))
  }

  async #run<T>(operation: (users: Collection<SessionOwner>) => Promise<T>): Promise<T> {
    try {
      return await operation((await this.#options.collection()) as unknown as Collection<SessionOwner>)
    } catch (error) {
      throw isUnreachable(error) ? unavailable() : error
    }
  }
}

function split({ sessions, ...user }: SessionOwner): OwnedSession {
  return { user, session: sessions![0]! }
}

function byAge(a: SessionRecord, b: SessionRecord): number {
  return b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1)
}
