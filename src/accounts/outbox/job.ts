import type { ObjectId } from 'mongodb'
import type { Device } from '../../refresh-token/index.js'

/** The client that made a request, as far as an account may know it. */
export interface Client {
  /** The id of the user whom it is signed in as. */
  userId?: string
  /** Where it calls from: the address, or the group of addresses. */
  network?: string
  /** Its device, by an id that others can't know. */
  device?: Device
}

/** A mail to send. It is composed only when it is sent, so the job holds no token. */
export interface Job {
  kind: string
  /** The address that somebody asked to send it to. */
  email?: string
  userId?: string
  /** The client that asked for it. */
  by?: Client
  data?: Record<string, unknown>
}

/** A job as it is stored in the outbox. */
export interface StoredJob extends Job {
  _id: ObjectId
  createdAt: Date
  /** When to try it next. While it is being sent: when that attempt counts as failed. */
  dueAt: Date
  /** When to give it up. */
  expiresAt: Date
  attempts: number
  /** A new random id for each attempt, which shows who is sending it. */
  claim?: string
  /** Whether it may be added again under the same id. If so, its id is kept until `expiresAt`, even when it is done. */
  isRepeatable?: boolean
}
