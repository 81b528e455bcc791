import { setTimeout as sleep } from 'node:timers/promises'
import type { SessionEvents } from '../sessions/events.js'
import { isExpired, type EndReason, type SessionRecord } from '../sessions/session.js'
import type { SessionsOfUser } from '../sessions/users.js'
import type { AnnouncedSessions, SessionEventName } from './announced-sessions.js'
import type { UserChanges } from './change-stream.js'
import type { EndReasons } from './end-reasons.js'

export interface RemoteChangesOptions {
  changes: UserChanges
  announced: AnnouncedSessions
  announce: <E extends SessionEventName>(event: E, data: SessionEvents[E][0]) => void
  reasons: EndReasons
  /** Reads users with their sessions, as the majority has them. */
  read: (userIds: string[]) => Promise<Map<string, SessionsOfUser>>
  /** ms since 1970 */
  now: () => number
}

const chunkSize = 500 // users read at once
const renameDelay = 100 // ms
const reasonDelays = [0, 20, 60, 150] // ms: the reason is noted right after the session ended

/**
 * Announces what other processes, or other programs, did to the sessions of users who have connections here: whenever
 * the change stream delivers a change, or may have missed one.
 */
export class RemoteChanges {
  readonly #options: RemoteChangesOptions
  #isSyncingAll = false

  constructor(options: RemoteChangesOptions) {
    this.#options = options

    const { changes } = options

    changes.on('changed', ({ userId }) => void this.sync([userId]))
    changes.on('missed', () => this.#syncAll())
  }

  /** Reads users and announces what is new. Fails silently without a database: `missed` makes it read again. */
  async sync(userIds: string[]): Promise<void> {
    await this.#sync(userIds).catch(() => undefined)
  }

  async #sync(userIds: string[]): Promise<void> {
    const { announced, read } = this.#options
    const followed = userIds.filter((userId) => announced.version(userId) !== undefined)

    for (let start = 0; start < followed.length; start += chunkSize) {
      const ids = followed.slice(start, start + chunkSize)
      const versions = new Map(ids.map((id) => [id, announced.version(id)]))
      const users = await read(ids)
      const overtaken = ids.filter((id) => announced.version(id) !== versions.get(id))

      await Promise.all([
        ...ids.filter((id) => !overtaken.includes(id)).map((id) => this.#announce(id, users.get(id))),
        this.#sync(overtaken)
      ])
    }
  }

  #syncAll(): void {
    if (!this.#isSyncingAll) {
      this.#isSyncingAll = true
      void this.sync(this.#options.announced.userIds).finally(() => (this.#isSyncingAll = false))
    }
  }

  async #announce(userId: string, user: SessionsOfUser | undefined): Promise<void> {
    const { announced, announce } = this.#options
    const sessions = user && !user.isDisabled ? user.sessions : []
    const { created, gone } = announced.compare(userId, sessions)

    for (const session of created) {
      announce('created', { userId, session })
    }
    if (gone.length > 0) {
      await this.#announceEnds(userId, gone, user)
    }
    if (announced.renamed(userId, sessions).length > 0) {
      await this.#announceNames(userId, sessions)
    }
  }

  /** A device that was renamed by this process is announced by the store, which may be just about to do so. */
  async #announceNames(userId: string, sessions: SessionRecord[]): Promise<void> {
    await sleep(renameDelay, undefined, { ref: false })

    for (const session of this.#options.announced.renamed(userId, sessions)) {
      this.#options.announce('patched', { userId, session })
    }
  }

  async #announceEnds(
    userId: string,
    gone: SessionRecord[],
    user: SessionsOfUser | undefined
  ): Promise<void> {
    const reasons = await this.#reasonsOf(gone)

    for (const session of gone) {
      const reason = reasons.get(session.id) ?? this.#likelyReason(session, user)

      this.#options.announce('removed', { userId, session, reason })
    }
  }

  /** The reasons by session id. They may not be noted yet. */
  async #reasonsOf(gone: SessionRecord[]): Promise<Map<string, EndReason>> {
    const ids = gone.map(({ id }) => id)
    let found = new Map<string, EndReason>()

    for (const delay of reasonDelays) {
      await sleep(delay, undefined, { ref: false })
      found = await this.#options.reasons.find(ids).catch(() => found)

      if (found.size === ids.length) {
        break
      }
    }

    return found
  }

  /** Why a session ended, when no reason was noted: another program ended it, or a process was killed just then. */
  #likelyReason(session: SessionRecord, user: SessionsOfUser | undefined): EndReason {
    if (!user) {
      return 'deleted'
    }
    if (user.isDisabled) {
      return 'disabled'
    }

    return isExpired(session, this.#options.now()) ? 'expired' : 'revoked'
  }
}
