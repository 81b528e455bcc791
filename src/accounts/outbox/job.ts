import type { ObjectId } from 'mongodb'

/** A mail that is to be sent. Whom it goes to and what it says is decided when it is sent, so it holds no token. */
export interface Job {
  kind: string
  /** As it was asked for, by anybody. */
  email?: string
  userId?: string
  /** The id of the signed-in user who asked for it. */
  by?: string
  data?: Record<string, unknown>
}

/** A job as it is stored in the outbox. */
export interface StoredJob extends Job {
  _id: ObjectId
  createdAt: Date
  /** When it is tried next. While it is being sent, when that is taken for failed. */
  dueAt: Date
  /** It is given up from then on. */
  expiresAt: Date
  attempts: number
  /** Whoever sends it: a new random id at each attempt. */
  claim?: string
  /** It may be added again under the same id. So its id is kept, for as long as it could have been tried. */
  isRepeatable?: boolean
}
