import { randomUUID } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import type { Settings } from '../settings/settings.js'
import { copyOf } from './copy.js'

/** The device that signed in. It chooses `id` and `name` itself; the rest was observed. */
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
 * A session, as it is stored in `sessions` on the user document. Nothing in it can be used to sign in: the ids are
 * random, and the signing keys are elsewhere.
 */
export interface SessionRecord {
  /** A UUID of version 7 (RFC 9562 §5.7), which holds the time when the session was opened. */
  id: string
  strategy: string
  device: Device
  /** Whether it has refresh tokens. Without, it lasts as long as the access token of its login. */
  renewable: boolean
  /** `jti` of the refresh token that was used last; at first a random root. */
  used: string
  /**
   * Hashes of the last four idempotency keys under which that token was granted a successor. A use that was sent together
   * with those of other sessions leaves a random mark before them.
   */
  keys: string[]
  /** Whether the answer to that use failed: the token may be repeated till its successor is used. */
  unanswered?: true
  token?: KeptToken
  createdAt: Date
  /** When its user last gave credentials, if that was after `createdAt`: a step-up, or a login that reused it. */
  authenticatedAt?: Date
  /** How: the methods of RFC 8176. */
  amr?: string[]
  /** When `used` was used: the leeway counts from here. */
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
  /** Whether no factor was given in it, though its user has one. Only in lists. */
  withoutFactor?: true
}

/** A session in the list of its user's. */
export type ListedSession = SessionRecord & Pick<Session, 'withoutFactor'>

declare module '@feathersjs/feathers' {
  interface Params {
    /** The session of the access token that authenticates the call. */
    session?: Session
  }
}

/** Why a session ended. */
export type EndReason =
  | 'logout'
  | 'revoked'
  | 'admin'
  | 'password'
  | 'factor'
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

/** A new session's id. It holds the time, so that a refresh knows the session's age without reading it. */
export function newSessionId(now: number): string {
  return uuidv7({ msecs: now })
}

/** When a session was opened, by its id: ms since 1970. */
export function openedAt(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** When a session that is opened or refreshed now expires. Tokens count in whole seconds, so sessions do too. */
export function expiryOf(id: string, { idleLife, absoluteLife }: Settings, now: number): Date {
  const expiry = Math.min(now + idleLife, openedAt(id) + absoluteLife)

  return new Date(Math.floor(expiry / 1000) * 1000)
}

/** The refresh token of a session that keeps it. */
export function newKeptToken(kid: string, now: number): KeptToken {
  return { jti: randomUUID(), iat: Math.floor(now / 1000), kid }
}

/** When its user last gave credentials: ms since 1970. */
export const authenticatedAt = ({ createdAt, authenticatedAt = createdAt }: SessionRecord): number =>
  authenticatedAt.getTime()

export function isExpired(session: SessionRecord, now: number): boolean {
  return session.expiresAt.getTime() <= now
}

/** Matches the session of that id until it expires. */
export function live(id: string, now: number): { id: string; expiresAt: { $gt: Date } } {
  return { id, expiresAt: { $gt: new Date(now) } }
}

/** A session, as its owner may see it. */
export function present(session: ListedSession, currentId?: string): Session {
  const { id, device, strategy, createdAt, refreshedAt, expiresAt, withoutFactor } = session
  const shown = { id, current: id === currentId, device, strategy, createdAt, refreshedAt, expiresAt }

  // A copy: the record may be kept in memory
  return copyOf({ ...shown, ...(withoutFactor && { withoutFactor }) })
}
