import type { Collection } from 'mongodb'
import { EndReasons } from './end-reasons.js'
import { EntityCache } from './entity-cache.js'
import { KnownSessions } from './known-sessions.js'
import type { Settings } from './options.js'
import type { SessionRecord } from './session.js'
import { SessionFeed } from './session-feed.js'
import { SessionStore } from './session-store.js'
import { UserChanges } from './user-changes.js'
import type { UserDocuments } from './user-documents.js'

export interface LiveUsersOptions {
  settings: Settings
  users: UserDocuments
  collection: () => Promise<Collection>
  /** Whether users are known by `_id`, which is all that the change stream tells of them. */
  isByDocumentId: boolean
  /** ms since 1970 */
  now: () => number
  warn: (sentence: string) => void
}

/** The users and their sessions as they are now, whichever process changed them. */
export class LiveUsers {
  readonly changes: UserChanges
  readonly #known = new KnownSessions()
  readonly cache: EntityCache
  readonly sessions: SessionStore
  readonly #feed: SessionFeed
  readonly #reasons: EndReasons

  constructor({ settings, users, collection, isByDocumentId, now, warn }: LiveUsersOptions) {
    const { cache } = settings
    const read = (userId: string) => users.read(userId)
    const known = this.#known

    this.#reasons = new EndReasons(collection)
    this.changes = new UserChanges({
      collection,
      isFollowable: isByDocumentId,
      maxStale: cache.maxStale,
      warn
    })
    this.cache = new EntityCache({ read, isFresh: () => this.changes.isFresh, bytes: cache.bytes })

    // The first to hear of a change: what is read after it is new
    this.changes.on('changed', ({ userId }) => this.cache.forget(userId))
    this.changes.on('missed', () => this.cache.forgetAll())

    this.sessions = new SessionStore({
      settings,
      users,
      cache: this.cache,
      known,
      reasons: this.#reasons,
      now
    })
    this.#feed = new SessionFeed({
      changes: this.changes,
      known,
      reasons: this.#reasons,
      store: this.sessions,
      read: (userIds) => users.readMany(userIds),
      now
    })
  }

  start(): void {
    this.changes.start()
    this.#reasons.prepare()
  }

  /** A connection was signed in to a session: it is to hear of what happens to it, and to the user's other ones. */
  follow(userId: string, session: SessionRecord): void {
    if (this.#known.follow(userId, session)) {
      // Of one that another instance opened a moment ago the user's other connections are told now
      this.sessions.announce('created', { userId, session })
      void this.#feed.sync([userId])
    }
  }

  unfollow(userId: string): void {
    this.#known.unfollow(userId)
  }

  async stop(): Promise<void> {
    await this.changes.stop()
    await this.#reasons.settled()
  }
}
