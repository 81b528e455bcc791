import { NotAuthenticated } from '@feathersjs/errors'
import { randomUUID } from 'node:crypto'
import type { Document } from 'mongodb'
import { unavailable } from '../database-errors.js'
import { Refused } from '../errors.js'
import { GateClosed, factorsOf, usable, useUp, withoutFactor, type UsedFactor } from './gate.js'
import { maxAttempts, type OwnedSession, type SessionRecords, type SessionUpdate } from './records.js'
import {
  expiryOf,
  isExpired,
  newKeptToken,
  type Device,
  type EndReason,
  type EndedSession,
  type SessionRecord
} from './session.js'
import { areForeign, foreignSessions, type OwnerFilter } from './users.js'

/** What a user has shown, at a sign-in or a step-up. */
export interface Credentials {
  /** They count only while the user document still has these values: the verified password, say. */
  unchanged?: OwnerFilter
  /** The methods of RFC 8176. */
  amr?: string[]
  /** Whether they do for users with a factor, too: one has been given, or the strategy is itself two. */
  hasFactor?: boolean
  /** The factor that was given. */
  used?: UsedFactor
}

/** What a login asks for. */
export interface NewSession extends Credentials {
  id: string
  strategy: string
  device: Device
  /** When the session of a login without a refresh token expires; with one, the settings decide. */
  expiresAt?: Date
  /** Called with what ends the sessions that the new one displaces; left out, they end at once. */
  later?: (displace: () => Promise<void>) => void
}

/** Which sessions a new one displaces: those of its device, and the oldest beyond `maxSessions`. */
interface Room {
  deviceId?: string | undefined
  maxSessions: number
  now: number
}

/**
 * Opens a session and ends those that it displaces, or returns the stored one that the login may reuse.
 *
 * @throws Refused `disabled`, or `invalid` for a factor that was used meanwhile; GateClosed for a user with a factor;
 *   NotAuthenticated when the user is gone, or `unchanged` did not hold
 */
export async function openSession(
  records: SessionRecords,
  userId: string,
  login: NewSession
): Promise<SessionRecord> {
  const reusable = reusableBy(records, login)

  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const reused = reusable && (await reuse(records, userId, login, reusable))
    const session = reused ?? (await insert(records, userId, login, reusable))

    if (session) {
      return session
    }

    await requireOpenable(records, userId, login)
  }

  throw unavailable()
}

/** Matches the sessions whose stored token the login may be answered; undefined when it has to open its own. */
function reusableBy({ settings, now }: SessionRecords, { device, expiresAt }: NewSession) {
  const { rotation, reuse, refreshTokens } = settings

  if (rotation || expiresAt || reuse === 'never' || (reuse === 'device' && device.id === undefined)) {
    return undefined
  }

  return {
    expiresAt: { $gt: new Date(now()) },
    'token.kid': { $in: [...refreshTokens.keyring.byId.keys()] },
    ...(reuse === 'device' && { 'device.id': device.id })
  }
}

async function reuse(
  records: SessionRecords,
  userId: string,
  login: NewSession,
  reusable: Document
): Promise<SessionRecord | undefined> {
  const device = records.settings.reuse === 'device' ? login.device : {}
  const update = reopened(reusable, device, { ...login, now: records.now() })
  const owned = login.used
    ? await reuseWithFactor(records, userId, login, update)
    : await records.update(userId, update, openable(login))

  if (owned) {
    records.changed({ userId, renamed: owned.session })
  }

  return owned?.session
}

/** Which session it is has to be known first: the factor is used up by a pipeline, which can't update what matched. */
async function reuseWithFactor(
  records: SessionRecords,
  userId: string,
  login: NewSession,
  { match, update }: SessionUpdate
): Promise<OwnedSession | undefined> {
  const { users } = records
  const found = await users.find(
    { ...users.is(userId), [users.field]: { $elemMatch: match } },
    { projection: users.withSession(match) }
  )

  return found
    ? records.replace(
        userId,
        { match: { ...match, id: users.sessionsOf(found)[0]!.id }, update },
        openable(login),
        useUp(login.used!)
      )
    : undefined
}

/** A login that is answered the token its session keeps; `device` is what the login shows of it now. */
export function reopened(
  match: Document,
  device: Device,
  { amr, now }: { amr?: string[] | undefined; now: number }
): SessionUpdate {
  const seen = Object.entries(device).map(([key, value]) => [`device.${key}`, value])
  const time = new Date(now)

  return {
    match,
    update: {
      $set: { refreshedAt: time, authenticatedAt: time, ...(amr && { amr }), ...Object.fromEntries(seen) }
    }
  }
}

async function insert(
  records: SessionRecords,
  userId: string,
  login: NewSession,
  reusable?: Document
): Promise<SessionRecord | undefined> {
  const { maxSessions, reuse, sessionsField: field } = records.settings
  const now = records.now()
  const opened = newRecord(records, login, now)
  // A login without a refresh token does not displace a session that has one
  const deviceId = reuse === 'never' || login.expiresAt ? undefined : login.device.id
  const room = { deviceId, maxSessions, now }
  // Till it is known whether the login is answered, there is room for as many again
  const roomForNow = login.later ? { maxSessions: 2 * maxSessions, now } : room
  const before = await records.users.update(
    {
      ...records.users.is(userId),
      ...openable(login),
      ...(reusable && { [field]: { $not: { $elemMatch: reusable } } }),
      $nor: [foreignSessions(field)] // which would be lost
    },
    insertion(opened, roomForNow, field, login.used),
    { returnDocument: 'before', projection: { [field]: 1 } }
  )

  if (!before) {
    return undefined
  }

  const sessions = records.users.sessionsOf(before)
  const ended = displaced(sessions, roomForNow)

  records.changed({ userId, ended, opened })

  if (displaced(sessions, room).length > ended.length) {
    login.later!(() => displace(records, userId, opened, room))
  }

  return opened
}

/** Ends the sessions that a new one displaces. */
async function displace(records: SessionRecords, userId: string, opened: SessionRecord, room: Room) {
  const { users } = records
  const { field } = users
  const before = await users.update(
    { ...users.is(userId), [`${field}.id`]: opened.id },
    insertion(opened, room, field),
    { returnDocument: 'before', projection: { [field]: 1 } }
  )
  const others = before ? users.sessionsOf(before).filter(({ id }) => id !== opened.id) : []

  records.changed({ userId, ended: displaced(others, room) })
}

/** Matches users for whom a login opens or raises a session. */
export const openable = ({ unchanged, hasFactor, used }: Credentials): OwnerFilter => ({
  ...unchanged,
  ...(!hasFactor && withoutFactor),
  ...(used && usable(used)),
  disabled: { $ne: true }
})

function newRecord(
  { settings }: SessionRecords,
  { id, strategy, device, expiresAt, amr }: NewSession,
  now: number
): SessionRecord {
  const { rotation, refreshTokens } = settings
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
    ...(amr && { amr }),
    refreshedAt: new Date(now),
    expiresAt: expiresAt ?? expiryOf(id, settings, now)
  }
}

/** Explains why no session could be opened or raised; returns when it was only another login that was faster. */
export async function requireOpenable(
  { users }: SessionRecords,
  userId: string,
  { unchanged, hasFactor, used }: Credentials
): Promise<void> {
  const user = await users.find({ ...users.is(userId), ...unchanged })

  if (!user) {
    throw new NotAuthenticated('Invalid login')
  }
  if (user.disabled) {
    throw new Refused('disabled')
  }
  if (areForeign(user[users.field])) {
    throw new Error(
      `The field ${users.field} of this user holds something other than sessions: ` +
        'write the name of another field in refresh-token.sessionsField'
    )
  }
  if (!hasFactor && factorsOf(user).length > 0) {
    throw new GateClosed(user)
  }
  if (used && !(await users.find({ ...users.is(userId), ...usable(used) }))) {
    throw new Refused('invalid')
  }
}

/** Adds a session, unless it is there already, and removes those that it displaces. The pipeline and `displaced` must say the same. */
export function insertion(
  session: SessionRecord,
  { deviceId, maxSessions, now }: Room,
  field: string,
  used: UsedFactor = {}
): Document[] {
  const stays = [
    { $gt: ['$$this.expiresAt', new Date(now)] },
    { $ne: ['$$this.id', session.id] },
    ...(deviceId === undefined ? [] : [{ $ne: ['$$this.device.id', { $literal: deviceId }] }])
  ]
  const others = { $filter: { input: { $ifNull: [`$${field}`, []] }, cond: { $and: stays } } }
  const sorted = { $sortArray: { input: others, sortBy: { refreshedAt: 1, id: 1 } } }

  return [
    {
      $set: {
        [field]: { $concatArrays: [{ $slice: [sorted, 1 - maxSessions] }, [{ $literal: session }]] },
        ...useUp(used)
      }
    }
  ]
}

/**
 * The sessions that end when a new one opens: expired ones, the one of the same device, and those unused for longest
 * beyond `maxSessions`.
 */
export function displaced(sessions: SessionRecord[], { deviceId, maxSessions, now }: Room): EndedSession[] {
  const reasonOf = (session: SessionRecord): EndReason =>
    isExpired(session, now)
      ? 'expired'
      : deviceId !== undefined && session.device.id === deviceId
        ? 'replaced'
        : 'evicted'
  const ended = sessions.map((session) => ({ session, reason: reasonOf(session) }))
  const kept = ended.filter(({ reason }) => reason === 'evicted').sort(byUse)
  const room = new Set(kept.slice(Math.max(0, kept.length - (maxSessions - 1))))

  return ended.filter((candidate) => !room.has(candidate))
}

function byUse({ session: a }: EndedSession, { session: b }: EndedSession): number {
  return a.refreshedAt.getTime() - b.refreshedAt.getTime() || (a.id < b.id ? -1 : 1)
}
