import type { EndReason, EndedSession, SessionRecord } from './session.js'

/** Something that happened to a session. The service `sessions` sends it to the user's sockets. */
export interface SessionEvent {
  userId: string
  session: SessionRecord
}

export interface RefreshedEvent extends SessionEvent {
  /** Whether its refresh token had been used before, and was granted another successor. */
  repeated: boolean
}

export interface EndedEvent extends SessionEvent {
  reason: EndReason
  /** The id of the signed-in user who ended it, if one did. Not sent to sockets. */
  by?: string | undefined
}

export interface SessionEvents {
  /** Announced once each, whichever process made the change. */
  created: [SessionEvent]
  patched: [SessionEvent]
  removed: [EndedEvent]
  /** What this process did. */
  opened: [SessionEvent]
  refreshed: [RefreshedEvent]
  ended: [EndedEvent]
  /** @internal Before all others: what one verb of the store changed. */
  changed: [SessionChange]
}

/**
 * What one verb of the store changed about the sessions of a user.
 *
 * @internal
 */
export interface SessionChange {
  userId: string
  opened?: SessionRecord
  refreshed?: SessionRecord
  /** Its device was renamed, or signed in again. */
  renamed?: SessionRecord
  ended?: EndedSession[]
  /** The id of the signed-in user who ended them. */
  by?: string | undefined
}
