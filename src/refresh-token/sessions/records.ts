import type { Document } from 'mongodb'
import { Refused } from '../errors.js'
import type { Settings } from '../settings/settings.js'
import type { SessionChange } from './events.js'
import { withElement } from './gate.js'
import type { EndReason, SessionRecord } from './session.js'
import type { OwnerFilter, SessionOwner, Users } from './users.js'

/** Attempts at a conditional update; one that fails means that another request won. */
export const maxAttempts = 10

/** A session and its user, without password and other sessions. */
export interface OwnedSession {
  user: SessionOwner
  session: SessionRecord
  /** Whether the refresh token that found it had been used before. */
  repeated?: boolean
}

/** An update of one session: what it has to match, and the update of its fields. */
export interface SessionUpdate {
  match: Document
  update: Document
}

/** What the verbs of the store work with. */
export interface SessionRecordsOptions {
  users: Users
  settings: Settings
  /** ms since 1970 */
  now: () => number
  /** Called with every change that the database acknowledged. */
  changed: (change: SessionChange) => void
}

/** Reads and writes one session at a time. Each write is one atomic update of the user document. */
export class SessionRecords {
  readonly users: Users
  readonly settings: Settings
  readonly now: () => number
  readonly changed: (change: SessionChange) => void

  constructor({ users, settings, now, changed }: SessionRecordsOptions) {
    this.users = users
    this.settings = settings
    this.now = now
    this.changed = changed
  }

  /**
   * The session, expired or not, and its user.
   *
   * @throws Refused `disabled`, `revoked`
   */
  async read(userId: string, id: string, readConcern?: { level: 'majority' }): Promise<OwnedSession> {
    const found = await this.users.find(this.users.is(userId), {
      projection: this.users.withSession({ id }),
      ...(readConcern && { readConcern })
    })

    const { sessionsOf, withoutSessions } = this.users

    return requireSession(found && withoutSessions(found), found ? sessionsOf(found)[0] : undefined)
  }

  /** Updates one session; undefined when the user has none that matches. */
  async update(
    userId: string,
    { match, update }: SessionUpdate,
    condition?: OwnerFilter
  ): Promise<OwnedSession | undefined> {
    const found = await this.users.update(
      { ...this.users.is(userId), ...condition, [this.users.field]: { $elemMatch: match } },
      inField(update, this.users.field),
      // Projected by id if possible: the update may have changed what matched
      { returnDocument: 'after', projection: this.users.withSession(match.id ? { id: match.id } : match) }
    )

    if (!found) {
      return undefined
    }

    return { user: this.users.withoutSessions(found), session: this.users.sessionsOf(found)[0]! }
  }

  /**
   * Updates one session by its id, and sets other fields of the document, in one pipeline.
   *
   * @param fields Expressions by field
   */
  async replace(
    userId: string,
    { match, update: { $set: set } }: SessionUpdate,
    condition: OwnerFilter,
    fields: Document
  ): Promise<OwnedSession | undefined> {
    const { field } = this.users
    const { id } = match
    const found = await this.users.update(
      { ...this.users.is(userId), ...condition, [field]: { $elemMatch: match } },
      [{ $set: { [field]: withElement(`$${field}`, id, nested(set)), ...fields } }],
      { returnDocument: 'after', projection: this.users.withSession({ id }) }
    )

    return found
      ? { user: this.users.withoutSessions(found), session: this.users.sessionsOf(found)[0]! }
      : undefined
  }

  /** Removes a session that matches. Of many removals at once, one gets the session and the others null. */
  async remove(
    userId: string,
    match: Document,
    reason: EndReason,
    by?: string
  ): Promise<SessionRecord | null> {
    const { field } = this.users
    const before = await this.users.update(
      { ...this.users.is(userId), [field]: { $elemMatch: match } },
      { $pull: { [field]: match } },
      { returnDocument: 'before', projection: { [field]: { $elemMatch: match } } }
    )

    if (!before) {
      return null
    }

    const session = this.users.sessionsOf(before)[0]!

    this.changed({ userId, ended: [{ session, reason }], by })
    return session
  }
}

/** The update of a document that updates the fields of the session that matched. */
export function inField(update: Document, field: string): Document {
  const stored = (fields: Document) =>
    Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${field}.$.${name}`, value]))

  return Object.fromEntries(
    Object.entries(update).map(([operator, fields]) => [operator, stored(fields as Document)])
  )
}

/** As `$mergeObjects` takes what `$set` writes as `device.name`. */
function nested(fields: Document): Document {
  const own = Object.entries(fields).filter(([name]) => !name.startsWith('device.'))
  const ofDevice = Object.entries(fields)
    .filter(([name]) => name.startsWith('device.'))
    .map(([name, value]) => [name.slice('device.'.length), { $literal: value }])

  return {
    ...Object.fromEntries(own.map(([name, value]) => [name, { $literal: value }])),
    ...(ofDevice.length > 0 && { device: { $mergeObjects: ['$$this.device', Object.fromEntries(ofDevice)] } })
  }
}

/** @throws Refused `disabled`, `revoked` */
export function requireSession(
  user: SessionOwner | null | undefined,
  session: SessionRecord | undefined
): { user: SessionOwner; session: SessionRecord } {
  const found = requireUser(user)

  if (!session) {
    throw new Refused('revoked')
  }

  return { user: found, session }
}

/** @throws Refused `disabled`, `revoked` */
export function requireUser(user: SessionOwner | null | undefined): SessionOwner {
  if (user?.disabled) {
    throw new Refused('disabled')
  }
  if (!user) {
    throw new Refused('revoked')
  }

  return user
}
