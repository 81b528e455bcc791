import type { ObjectId } from 'mongodb'
import type { Device } from '../refresh-token/index.js'
import type { Role } from '../roles.js'

/** What is noted in the audit trail. */
export const eventTypes = [
  'signed-in',
  'new-device',
  'sign-in-refused',
  'token-reused',
  'session-ended',
  'password-changed',
  'email-changed',
  'roles-changed',
  'user-disabled',
  'user-enabled',
  'user-deleted'
] as const

export type EventType = (typeof eventTypes)[number]

/** What happened, as the service `events` says it. Never a token, a password, nor what was typed as a name. */
export interface AuditEvent {
  _id: ObjectId
  type: EventType
  /** Whose account it is about; none where a sign-in named no account that there is. */
  userId?: string
  sessionId?: string
  /** Of a sign-in. */
  strategy?: string
  /** Why a session ended, or a sign-in was refused. */
  reason?: string
  /** Those that the user has now. */
  roles?: Role[]
  /** Who did it: the id of a user who was signed in. */
  by?: string
  /** What it was done from; of a session that ended, the session's. */
  device: Device
  createdAt: Date
}

/** What is stored of it. */
export interface StoredEvent extends AuditEvent {
  /** Of a sign-in: what the device is known by. */
  deviceKey?: string
}

/** An event before it is known whose it is. */
export interface EventDraft extends StoredEvent {
  /** The name that a refused sign-in gave, which may be anything that was typed. Not stored. */
  account?: string
  /** How long a sign-in is refused for too many attempts, s. Not stored. */
  retryAfter?: number
}

/** What is said of an event when it happens. */
export type Noted = Omit<EventDraft, '_id' | 'createdAt'>
