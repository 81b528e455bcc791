import type { Document } from 'mongodb'
import { Refused } from '../errors.js'
import type { Settings } from '../settings/settings.js'
import type { SessionChange } from './events.js'
import { withElement } from './gate.js'
import { GroupedWrites } from './grouped-writes.js'
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
  /** Finds a live session and its user, from memory if possible. @throws Refused */
  recall: (userId: string, id: string) => Promise<OwnedSession>
  /** Called with every change that the database acknowledged. */
  changed: (change: SessionChange) => void
}

/** Reads and writes one session at a time. Each write is one atomic update of the user document. */
export class SessionRecords {
  readonly users: Users
  readonly settings: Settings
  readonly now: () => number
  readonly changed: (change: SessionChange) => void
  readonly #recall: SessionRecordsOptions['recall']
  readonly #grouped: GroupedWrites<OwnedSession>

  constructor({ users, settings, now, recall, changed }: SessionRecordsOptions) {
    this.users = users
    this.settings = settings
    this.now = now
    this.changed = changed
    this.#recall = recall
    this.#grouped = new GroupedWrites(users)
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
      this.#matches(userId, match, condition),
      inField(update, this.users.field),
      // Projected by id if possible: the update may have changed what matched
      { returnDocument: 'after', projection: this.users.withSession(match.id ? { id: match.id } : match) }
    )

    return found ? this.#owned(found) : undefined
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
      this.#matches(userId, match, condition),
      [{ $set: { [field]: withElement(`$${field}`, id, nested(set)), ...fields } }],
      { returnDocument: 'after', projection: this.users.withSession({ id }) }
    )

    return found ? this.#owned(found) : undefined
  }

  /**
   * As `update`, sent together with what waits at the same moment for the sessions of other users.
   *
   * @param updateWith The update of that session, with a mark among its `keys` if there is one
   */
  updateGrouped(
    userId: string,
    id: string,
    updateWith: (mark?: string) => SessionUpdate,
    condition: OwnerFilter
  ): Promise<OwnedSession | undefined> {
    const { field } = this.users
    const single = updateWith()

    return this.#grouped.run({
      userId,
      alone: () => this.update(userId, single, condition),
      marked: (mark) => {
        const { match, update } = updateWith(mark)

        return { filter: this.#matches(userId, match, condition), update: inField(update, field) }
      },
      expected: async () => {
        const { user, session } = await this.#recall(userId, id)

        return { user, session: updated(session, single.update) }
      }
    })
  }

  /** @param found The document, of whose sessions one was read */
  #owned(found: SessionOwner): OwnedSession {
    return { user: this.users.withoutSessions(found), session: this.users.sessionsOf(found)[0]! }
  }

  #matches(userId: string, match: Document, condition?: OwnerFilter): OwnerFilter {
    return { ...this.users.is(userId), ...condition, [this.users.field]: { $elemMatch: match } }
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
  const stored: Document = {}

  for (const operator in update) {
    const fields: Document = (stored[operator] = {})

    for (const name in update[operator]) {
      fields[`${field}.$.${name}`] = update[operator][name]
    }
  }

  return stored
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

/** A session after an update of its fields. */
function updated(session: SessionRecord, { $set, $unset }: Document): SessionRecord {
  const after: Document = { ...session, ...$set }

  for (const name in $unset) {
    delete after[name]
  }

  return after as SessionRecord
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
