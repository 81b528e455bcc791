import type { Document } from 'mongodb'
import { Refused } from './errors.js'
import type { EntityCache } from './entity-cache.js'
import type { EndReasons } from './end-reasons.js'
import type { SessionEventName } from './known-sessions.js'
import type { Settings } from './options.js'
import type { EndReason, EndedSession, SessionRecord } from './session.js'
import type { SessionEvents } from './session-events.js'
import type { SessionUpdate } from './session-updates.js'
import type { OwnerFilter, SessionOwner, UserDocuments } from './user-documents.js'

/** At a change: each is lost to another request that moved the session on, or to a read just behind a write. */
export const attempts = 10

/** What was read or written: the user, without password and other sessions, and the session. */
export interface OwnedSession {
  user: SessionOwner
  session: SessionRecord
  /** Whether it was found by a refresh token that had been used before. */
  repeated?: boolean
  /** What was made of the user, where it is true as long as the user stays as it is. */
  views?: Map<string, Document>
}

export interface SessionDocumentsOptions {
  settings: Settings
  users: UserDocuments
  /** The users active here. */
  cache: EntityCache
  reasons: EndReasons
  /** ms since 1970 */
  now: () => number
  /** Says what was done. */
  announce: <E extends SessionEventName>(event: E, data: SessionEvents[E][0]) => void
}

/** The sessions in the user documents, one at a time: each change is one atomic update, and said when it was made. */
export class SessionDocuments {
  readonly settings: Settings
  readonly users: UserDocuments
  readonly now: () => number
  readonly announce: SessionDocumentsOptions['announce']
  readonly #cache: EntityCache
  readonly #reasons: EndReasons

  constructor({ settings, users, cache, reasons, now, announce }: SessionDocumentsOptions) {
    this.settings = settings
    this.users = users
    this.now = now
    this.announce = announce
    this.#cache = cache
    this.#reasons = reasons
  }

  /** The session and its user, whatever the session's time. */
  async read(userId: string, id: string, readConcern?: { level: 'majority' }): Promise<OwnedSession> {
    const user = await this.users.find(this.users.is(userId), {
      projection: this.users.withSession({ id }),
      ...(readConcern && { readConcern })
    })

    const { sessions, ...owner } = user ?? {}

    return requireSession(user && owner, sessions?.[0])
  }

  /** Updates one session; undefined where the user has none that matches. */
  async change(
    userId: string,
    { match, update }: SessionUpdate,
    condition?: OwnerFilter
  ): Promise<OwnedSession | undefined> {
    const user = await this.users.update(
      { ...this.users.is(userId), ...condition, sessions: { $elemMatch: match } },
      update,
      // By its id where it is known: the update may have changed what it was found by
      { returnDocument: 'after', projection: this.users.withSession(match.id ? { id: match.id } : match) }
    )

    return user ? split(user) : undefined
  }

  /** Takes away a session that matches. Of many who do so at once, one gets it and the others null. */
  async pull(
    userId: string,
    session: Document,
    reason: EndReason,
    by?: string
  ): Promise<SessionRecord | null> {
    const before = await this.users.update(
      { ...this.users.is(userId), sessions: { $elemMatch: session } },
      { $pull: { sessions: session } },
      { returnDocument: 'before', projection: { sessions: { $elemMatch: session } } }
    )

    const ended = before?.sessions?.[0]

    if (ended) {
      this.ended(userId, [{ session: ended, reason }], by)
    }

    return ended ?? null
  }

  /** Sessions of a user have ended: it is forgotten here before anybody hears of it. */
  ended(userId: string, ended: EndedSession[], by?: string): void {
    this.#cache.forget(userId)

    if (ended.length > 0) {
      void this.#reasons.note(ended.map(({ session, reason }) => ({ id: session.id, reason })))
    }
    for (const { session, reason } of ended) {
      this.announce('removed', { userId, session, reason, by })
    }
  }

  /** Says that a session was changed. */
  patched(userId: string, owned: OwnedSession): OwnedSession {
    this.announce('patched', { userId, session: owned.session })

    return owned
  }
}

/** @throws Refused `disabled`, `revoked` */
export function requireSession(
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
