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
  /** What this process itself did, each once; the three above are also said of what others did, where it is new. */
  opened: [SessionEvent]
  refreshed: [RefreshedEvent]
  ended: [EndedEvent]
}

export interface RefreshedEvent extends SessionEvent {
  /** Its refresh token had been used before, and was granted another successor. */
  repeated: boolean
}

export interface EndedEvent extends SessionEvent {
  reason: EndReason
  /** The id of the user who ended it, where one who was signed in did. Not for sockets. */
  by?: string | undefined
}
