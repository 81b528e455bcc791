import type { EndReason, SessionRecord } from './session.js'

/** What happened to a session. The service `sessions` says it to the user's sockets. */
export interface SessionEvent {
  userId: string
  session: SessionRecord
}

export interface SessionEvents {
  created: [SessionEvent]
  patched: [SessionEvent]
  removed: [EndedEvent]
}

export interface EndedEvent extends SessionEvent {
  reason: EndReason
}
