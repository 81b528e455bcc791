import type { Collection } from 'mongodb'
import { Refused } from '../errors.js'
import type { SessionChange, SessionEvents } from '../sessions/events.js'
import { copyOf } from '../sessions/copy.js'
import { requireSession, requireUser } from '../sessions/records.js'
import { isExpired, type SessionRecord } from '../sessions/session.js'
import type { SessionStore } from '../sessions/store.js'
import type { SessionOwner, Users } from '../sessions/users.js'
import type { Settings } from '../settings/settings.js'
import { AnnouncedSessions, type SessionEventName } from './announced-sessions.js'
import { UserChanges } from './change-stream.js'
import { EndReasons } from './end-reasons.js'
import { RemoteChanges } from './remote-changes.js'
import { UserCache, type CachedUser } from './user-cache.js'

export interface LiveSessionsOptions {
  store: SessionStore
  users: Users
  settings: Pick<Settings, 'cache'>
  collection: () => Promise<Collection>
  /** Whether users are identified by `_id`, the only id in the change stream. */
  isByDocumentId: () => boolean
  /** ms since 1970 */
  now: () => number
  /** Called with a sentence when the change stream is lost. */
  warn: (sentence: string) => void
}

/** A user that was found. */
export interface FoundUser {
  /** A copy of the document for the caller, without the sessions. */
  user: () => SessionOwner
  /** What is kept in memory of it, until it changes. */
  cached?: CachedUser
}

/** A live session and its user. */
export interface FoundSession extends FoundUser {
  session: SessionRecord
}

/**
 * The sessions as they are now, whichever process changed them: answered from memory while the change stream is fresh.
 * Announces each change once, by the store's events `created`, `patched` and `removed`.
 */
export class LiveSessions {
  readonly changes: UserChanges
  readonly cache: UserCache
  readonly #store: SessionStore
  readonly #announced = new AnnouncedSessions()
  readonly #remote: RemoteChanges
  readonly #reasons: EndReasons
  readonly #now: () => number

  constructor({ store, users, settings, collection, isByDocumentId, now, warn }: LiveSessionsOptions) {
    const { bytes, maxStale } = settings.cache

    this.#store = store
    this.#now = now
    this.#reasons = new EndReasons(collection)
    this.changes = new UserChanges({
      collection,
      sessionsField: users.field,
      isFollowable: isByDocumentId,
      maxStale,
      warn
    })
    this.cache = new UserCache({
      read: (userId) => users.read(userId),
      sessionsField: users.field,
      isFresh: () => this.changes.isFresh,
      bytes
    })

    // First of all listeners: those that read the user when they hear of a change must not get the cached one
    store.on('changed', (change) => this.#changed(change))
    this.changes.on('changed', ({ userId, clusterTime }) => {
      users.heard(clusterTime)
      this.cache.forget(userId)
    })
    this.changes.on('missed', () => this.cache.forgetAll())

    this.#remote = new RemoteChanges({
      changes: this.changes,
      announced: this.#announced,
      announce: (event, data) => this.#announce(event, data),
      reasons: this.#reasons,
      read: (userIds) => users.readMany(userIds),
      now
    })
  }

  start(): void {
    this.changes.start()
    this.#reasons.prepare()
  }

  async stop(): Promise<void> {
    await this.changes.stop()
    await this.#reasons.settled()
  }

  /**
   * Finds a live session and its user. Memory alone refuses nobody: another instance may just have opened the session.
   *
   * @throws Refused `expired`, `revoked`, `disabled`
   */
  async find(userId: string, id: string): Promise<FoundSession> {
    const cached = this.cache.get(userId)
    const session = cached?.sessions.get(id)

    if (session && !isExpired(session, this.#now()) && !cached!.isDisabled) {
      return { user: cached!.user, session, cached: cached! }
    }
    if (!this.cache.isOpen) {
      const owned = await this.#store.find(userId, id)

      return { user: () => copyOf(owned.user), session: owned.session }
    }

    const read = await this.cache.read(userId)
    const owned = requireSession(read?.user(), read?.sessions.get(id))

    if (isExpired(owned.session, this.#now())) {
      throw new Refused('expired')
    }

    return { user: read!.user, session: owned.session, cached: read! }
  }

  /**
   * Finds a user, for a token that belongs to no session.
   *
   * @throws Refused `revoked` when there is none, `disabled`
   */
  async findUser(userId: string): Promise<FoundUser> {
    const cached = this.cache.get(userId) ?? (await this.cache.read(userId))

    requireUser(cached?.user())
    return { user: cached!.user, cached: cached! }
  }

  /** A connection signed in to a session: from now on its user's sessions are announced. */
  follow(userId: string, session: SessionRecord): void {
    if (this.#announced.follow(userId, session)) {
      // Another instance may just have opened it, unannounced here
      this.#announce('created', { userId, session })
      void this.#remote.sync([userId])
    }
  }

  unfollow(userId: string): void {
    this.#announced.unfollow(userId)
  }

  #changed({ userId, opened, refreshed, renamed, ended = [], by }: SessionChange): void {
    // A refresh changes nothing that is answered from memory
    if (!refreshed) {
      this.cache.forget(userId)
    }
    if (ended.length > 0) {
      void this.#reasons.note(ended.map(({ session, reason }) => ({ id: session.id, reason })))
    }
    for (const { session, reason } of ended) {
      this.#announce('removed', { userId, session, reason, by })
    }

    const patched = refreshed ?? renamed

    if (opened) {
      this.#announce('created', { userId, session: opened })
    }
    if (patched) {
      this.#announce('patched', { userId, session: patched })
    }
  }

  /** Emits what happened to a session, in this process or another, unless that was announced before. */
  #announce<E extends SessionEventName>(event: E, data: SessionEvents[E][0]): void {
    if (this.#announced.note(event, data.userId, data.session)) {
      this.#store.emit<keyof SessionEvents>(event, data)
    }
  }
}
