import { setTimeout as sleep } from 'node:timers/promises'
import type { EndReasons } from './end-reasons.js'
import type { KnownSessions } from './known-sessions.js'
import { isExpired, type EndReason, type SessionRecord } from './session.js'
import type { SessionStore } from './session-store.js'
import type { SessionOwner } from './user-documents.js'
import type { UserChanges } from './user-changes.js'

export interface SessionFeedOptions {
  changes: UserChanges
  known: KnownSessions
  reasons: EndReasons
  store: SessionStore
  /** Reads users with their sessions, as the majority has them. */
  read: (userIds: string[]) => Promise<Map<string, SessionOwner>>
  /** ms since 1970 */
  now: () => number
}

const chunk = 500 // users read at once
const patience = 100 // ms
const waits = [0, 20, 60, 150] // ms: whoever ended a session notes the reason right after

/**
 * Says here what happened to the sessions of users with connections here in other processes, or by whatever else wrote
 * to the database, whenever a user changed or changes may have been missed.
 */
export class SessionFeed {
  readonly #options: SessionFeedOptions
  #readingAll: Promise<void> | undefined

  constructor(options: SessionFeedOptions) {
    this.#options = options

    const { changes } = options

    changes.on('changed', ({ userId }) => void this.sync([userId]))
    changes.on('missed', () => this.#syncAll())
  }

  /** Reads users and says what is new. Without a database there is nothing to be said: it is read again. */
  async sync(userIds: string[]): Promise<void> {
    await this.#sync(userIds).catch(() => undefined)
  }

  async #sync(userIds: string[]): Promise<void> {
    const { known, read } = this.#options
    const followed = userIds.filter((userId) => known.version(userId) !== undefined)

    for (let start = 0; start < followed.length; start += chunk) {
      const ids = followed.slice(start, start + chunk)
      const versions = new Map(ids.map((id) => [id, known.version(id)]))
      const users = await read(ids)
      const overtaken = ids.filter((id) => known.version(id) !== versions.get(id))

      await Promise.all([
        ...ids.filter((id) => !overtaken.includes(id)).map((id) => this.#tell(id, users.get(id))),
        this.#sync(overtaken)
      ])
    }
  }

  /** Once at a time. */
  #syncAll(): void {
    const known = this.#options.known.userIds
    const reading = this.#readingAll ?? this.sync(known).finally(() => (this.#readingAll = undefined))

    this.#readingAll = reading
  }

  async #tell(userId: string, user: SessionOwner | undefined): Promise<void> {
    const { known, store } = this.#options
    const sessions = user?.disabled ? [] : (user?.sessions ?? [])
    const { created, gone } = known.compare(userId, sessions)

    for (const session of created) {
      store.announce('created', { userId, session })
    }
    if (gone.length > 0) {
      await this.#tellEnds(userId, gone, user)
    }
    if (known.renamed(userId, sessions).length > 0) {
      await this.#tellNames(userId, sessions)
    }
  }

  /** Where the name was given here, whoever gave it is about to say so. */
  async #tellNames(userId: string, sessions: SessionRecord[]): Promise<void> {
    await sleep(patience, undefined, { ref: false })

    for (const session of this.#options.known.renamed(userId, sessions)) {
      this.#options.store.announce('patched', { userId, session })
    }
  }

  async #tellEnds(userId: string, gone: SessionRecord[], user: SessionOwner | undefined): Promise<void> {
    const reasons = await this.#reasonsOf(gone)

    for (const session of gone) {
      const reason = reasons.get(session.id) ?? this.#likelyReason(session, user)

      this.#options.store.announce('removed', { userId, session, reason })
    }
  }

  /** Those that are noted, by session. Soon after the end they may not be. */
  async #reasonsOf(gone: SessionRecord[]): Promise<Map<string, EndReason>> {
    const ids = gone.map(({ id }) => id)
    let found = new Map<string, EndReason>()

    for (const wait of waits) {
      await sleep(wait, undefined, { ref: false })
      found = await this.#options.reasons.find(ids).catch(() => found)

      if (found.size === ids.length) {
        break
      }
    }

    return found
  }

  /** Why a session ended that was ended by another program than ours, or one that was killed just then. */
  #likelyReason(session: SessionRecord, user: SessionOwner | undefined): EndReason {
    if (!user) {
      return 'deleted'
    }
    if (user.disabled) {
      return 'disabled'
    }

    return isExpired(session, this.#options.now()) ? 'expired' : 'revoked'
  }
}
