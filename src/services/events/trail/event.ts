import type { ObjectId } from 'mongodb'
import type { Device } from '../../../refresh-token/index.js'
import type { Role } from '../../users/roles.js'

/** The types of events in the audit trail. */
export const eventTypes = [
  'signed-in',
  'new-device',
  'sign-in-refused',
  'token-reused',
  'session-ended',
  'password-changed',
  'email-changed',
  'email-verified',
  'email-kept',
  'stepped-up',
  'factor-added',
  'factor-removed',
  'recovery-codes-renewed',
  'recovery-code-used',
  'passkey-counter-stalled',
  'roles-changed',
  'user-disabled',
  'user-enabled',
  'user-deleted'
] as const

export type EventType = (typeof eventTypes)[number]

/** An event as the service `events` returns it. Never holds a token, a password or a mistyped name. */
export interface AuditEvent {
  _id: ObjectId
  type: EventType
  /** The user concerned; missing if a sign-in named no existing account. */
  userId?: string
  sessionId?: string
  /** The strategy of a sign-in. */
  strategy?: string
  /** The kind of a factor that was added or removed. */
  factor?: string
  /** Why a session ended, or a sign-in was refused. */
  reason?: string
  /** The user's new roles. */
  roles?: Role[]
  /** The id of the signed-in user who did it. */
  by?: string
  /** The device that did it; for a session that ended, the device of the session. */
  device: Device
  createdAt: Date
}

/** An event as it is stored. */
export interface StoredEvent extends AuditEvent {
  /** Identifies the device of a sign-in. */
  deviceKey?: string
}

/** An event before its user has been looked up. */
export interface EventDraft extends StoredEvent {
  /** The name given at a refused sign-in, which may be anything. Not stored. */
  account?: string
  /** For how long a sign-in is refused after too many attempts, s. Not stored. */
  retryAfter?: number
}

/** An event when it is noted, without id and time. */
export type Noted = Omit<EventDraft, '_id' | 'createdAt'>
