import type { Params } from '@feathersjs/feathers'
import type { Document } from 'mongodb'
import type { SessionOwner, StoredFactor } from '../refresh-token/index.js'
import type { Encrypted } from './factor-keys.js'

/** A confirmed app for codes, as it is stored in `factors` on the user document. */
export interface TotpFactor extends StoredFactor {
  kind: 'totp'
  secret: Encrypted
  /** The time step of the code that was used last: it and earlier ones are spent. */
  step: number
}

/** The app for codes that a user is adding: `pendingFactor` on the user document. It counts for nothing. */
export interface PendingFactor {
  id: string
  secret: Encrypted
  expiresAt: Date
}

/**
 * What factors store on a user document. None of it is in any answer, event or filter, and that there are no `factors` is a
 * condition of the update that opens a session.
 */
export interface FactorOwner extends SessionOwner {
  /** Confirmed ones only. */
  factors?: StoredFactor[]
  /** Keyed hashes of the codes that are left. */
  recoveryCodes?: string[]
  /** When that set of codes was made. */
  recoveryCodesAt?: Date
  pendingFactor?: PendingFactor
}

/** A factor, as its owner sees it. */
export interface Factor {
  id: string
  kind: string
  name?: string
  createdAt?: Date
  usedAt?: Date
  /** How many recovery codes are left. */
  left?: number
}

/** The index by which encrypted secrets are found. */
export const factorsIndex = {
  collection: 'users',
  key: { 'factors.secret.kid': 1 },
  partialFilterExpression: { 'factors.secret.kid': { $exists: true } }
} as const

/** The id of a user's recovery codes, of which there is one set. */
export const recoveryCodes = 'recovery-codes'

/** Who changes factors: the write happens only while the session lives. */
export interface Caller {
  userId: string
  sessionId: string
  /** Of the call. */
  params: Params
}

/** Something that happened to factors. */
export interface FactorChange {
  type: 'factor-added' | 'factor-removed' | 'recovery-codes-renewed' | 'passkey-counter-stalled'
  userId: string
  /** The kind of the factor; `all` of them, where an admin removed them. */
  kind: string
  /** The id of the signed-in user who did it. */
  by?: string | undefined
  /** Of the call that did it. */
  params: Params
}

/** What is told by mail: each makes what is added to lists of the user document, by field, in the update of the change. */
export interface FactorNotices {
  added(user: Document, kind: string): Promise<Document>
  removed(user: Document, kind: string): Document
  codeUsed(user: Document, left: number): Document
  /** What a pipeline sets, so that no link restores a code that was used. */
  codeSpent(hash: string): Document
  /** Whether a link may restore a factor: then it is kept when it is removed. */
  mayRestore(user: Document, id: string): boolean
  /** Matches the user while the links are the same. */
  unchangedLinks(user: Document): Document
}
