import { createHash, randomUUID } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { RefreshTokenClaims } from './token.js'
import type { Settings } from './options.js'

/** What is known of the device that signed in. `id` and `name` are its own words, the rest was seen. */
export interface Device {
  id?: string
  name?: string
  userAgent?: string
  ip?: string
}

/** The refresh token of a session that keeps one (`rotation: false`): all it takes to mint it again. */
export interface KeptToken {
  jti: string
  iat: number
  kid: string
}

/**
 * A session, as it is stored in `sessions` on the user document. Nothing in it can be used to sign in: the ids
 * are random, the signing keys are elsewhere.
 */
export interface SessionRecord {
  /** A UUID of version 7 (RFC 9562 §5.7): it holds the time at which the session was opened. */
  id: string
  strategy: string
  device: Device
  /** Whether it has refresh tokens. Without, it lasts as long as the access token of its login. */
  renewable: boolean
  /** `jti` of the refresh token that was used last; at first a random root. */
  used: string
  /** Hashes of the idempotency keys that token was granted under: the last four. */
  keys: string[]
  token?: KeptToken
  createdAt: Date
  /** When `used` was used: what the leeway counts from. */
  refreshedAt: Date
  expiresAt: Date
}

/** A session, as its owner sees it. */
export interface Session {
  id: string
  /** Whether it is the session that asks. */
  current: boolean
  device: Device
  strategy: string
  createdAt: Date
  refreshedAt: Date
  expiresAt: Date
}

declare module '@feathersjs/feathers' {
  interface Params {
    /** The session of the access token that asks. */
    session?: Session
  }
}

/** Why a session ended. */
export type EndReason =
  | 'logout'
  | 'revoked'
  | 'admin'
  | 'password'
  | 'disabled'
  | 'deleted'
  | 'reused'
  | 'replaced'
  | 'evicted'
  | 'expired'

export interface EndedSession {
  session: SessionRecord
  reason: EndReason
}

export const keysRemembered = 4 // clients that share a token and each repeat after the leeway: the tabs of a browser

/** A new session's id. It holds the time, so that a refresh knows a session's age without reading it. */
export function newSessionId(now: number): string {
  return uuidv7({ msecs: now })
}

/** When a session was opened, in ms since 1970, by its id. */
export function openedAt(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** When a session expires that is opened or refreshed now. Tokens count in whole seconds, so sessions do. */
export function expiryOf(id: string, { idleLife, absoluteLife }: Settings, now: number): Date {
  const expiry = Math.min(now + idleLife, openedAt(id) + absoluteLife)

  return new Date(Math.floor(expiry / 1000) * 1000)
}

/** The one refresh token of a session that keeps it. */
export function newKeptToken(kid: string, now: number): KeptToken {
  return { jti: randomUUID(), iat: Math.floor(now / 1000), kid }
}

/** How an idempotency key is remembered: for one token only, and useless to whoever reads the database. */
export function hashKey(jti: string, key: string): string {
  return createHash('sha256').update(`${jti}:${key}`).digest('base64url')
}

/** What the presentation of a refresh token is. */
export type Verdict = 'first use' | 'repeat' | 'reuse' | 'expired'

/**
 * Judges a refresh token whose signature holds against its session: RFC 9700 §4.14.2, with the one liberty that
 * a used token may be repeated while its successor is unused.
 *
 * @param key Hash of the idempotency key that came with the token
 * @param now ms since 1970
 */
export function judge(
  session: SessionRecord,
  token: Pick<RefreshTokenClaims, 'jti' | 'prev'>,
  { leeway, key, now }: { leeway: number; key?: string | undefined; now: number }
): Verdict {
  if (isExpired(session, now)) {
    return 'expired'
  }
  if (session.token) {
    return token.jti === session.token.jti ? 'first use' : 'reuse'
  }
  if (token.prev === session.used) {
    return 'first use'
  }
  if (token.jti !== session.used) {
    return 'reuse'
  }

  const granted = key !== undefined && session.keys.includes(key)

  return granted || now - session.refreshedAt.getTime() < leeway ? 'repeat' : 'reuse'
}

export function isExpired(session: SessionRecord, now: number): boolean {
  return session.expiresAt.getTime() <= now
}

/**
 * The sessions that end when a new one is opened: those past their time, the one whose device signs in again, and
 * the ones unused for longest where there would be too many. Says the same as the update in `SessionStore.open`.
 */
export function displaced(
  sessions: SessionRecord[],
  { deviceId, maxSessions, now }: { deviceId?: string | undefined; maxSessions: number; now: number }
): EndedSession[] {
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

/** What its owner may see of a session. */
export function present(session: SessionRecord, currentId?: string): Session {
  const { id, device, strategy, createdAt, refreshedAt, expiresAt } = session

  return { id, current: id === currentId, device, strategy, createdAt, refreshedAt, expiresAt }
}
