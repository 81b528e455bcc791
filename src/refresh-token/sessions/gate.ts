import type { Document } from 'mongodb'
import { FactorNeeded } from '../errors.js'
import type { ListedSession, SessionRecord } from './session.js'
import type { OwnerFilter, SessionOwner } from './users.js'

/** The fields of the user document that belong to factors. Nobody is shown them. */
export const factorFields = [
  'factors',
  'recoveryCodes',
  'recoveryCodesAt',
  'pendingFactor',
  'passkeyHandle'
] as const

/** A confirmed factor, as it is stored in `factors` on the user document. Each kind has more. */
export interface StoredFactor {
  id: string
  /** The strategy that verifies it. */
  kind: string
  name?: string
  createdAt: Date
  usedAt?: Date
}

/**
 * A factor that was removed, and may have to be restored. Without a kind it counts for nothing, but its id stays taken: nobody
 * else can have it.
 */
export interface RemovedFactor extends Omit<StoredFactor, 'kind'> {
  removedKind: string
}

/** Matches users without a factor. An app may have a field `factors` of its own, whose elements have no kind. */
export const withoutFactor = { 'factors.kind': { $exists: false } } satisfies OwnerFilter

/** The factors of a user. */
export const factorsOf = ({ factors }: SessionOwner): StoredFactor[] =>
  Array.isArray(factors) ? (factors as StoredFactor[]).filter(({ kind }) => kind !== undefined) : []

// RFC 8176: a one-time code, a key, or both and more
const methodsOfFactors = ['otp', 'pop', 'mfa']

/** Whether one of these methods of RFC 8176 is a factor. */
export const hasGivenFactor = (amr: string[]): boolean =>
  methodsOfFactors.some((method) => amr.includes(method))

/** The sessions of a user, of which those are marked in which a factor is missing. */
export function marked(user: SessionOwner, sessions: SessionRecord[]): ListedSession[] {
  const isMarked = ({ amr = [] }: SessionRecord) => factorsOf(user).length > 0 && !hasGivenFactor(amr)

  return sessions.map((session) => (isMarked(session) ? { ...session, withoutFactor: true } : session))
}

/** The strategies by which a user can give a factor: `totp`, `recovery-code`, `passkey` and whatever kinds an app has. */
export function factorKinds(user: SessionOwner): string[] {
  const kinds = new Set(factorsOf(user).map(({ kind }) => kind))

  if (kinds.size > 0 && user.recoveryCodes?.length > 0) {
    kinds.add('recovery-code')
  }

  return [...kinds].sort().toReversed()
}

/** Nothing opens for that user without a factor. Who can ask for it adds a challenge. */
export class GateClosed extends FactorNeeded {
  readonly #user: SessionOwner

  constructor(user: SessionOwner) {
    super(factorKinds(user))
    this.#user = user
  }

  /** As it is stored. In no property, which might be logged. */
  get user(): SessionOwner {
    return this.#user
  }
}

/** What a login uses up of the user document, in the very update that opens its session: so it is good once. */
export interface UsedFactor {
  /** The factor as it still has to be: its id, and conditions on its other fields. */
  factor?: Document & { id: string }
  /** What is noted of its use, by field. */
  set?: Document
  /** The stored hash of a recovery code, which goes. */
  recoveryCode?: string
  /** What is added to lists of the user document, by field. */
  push?: Document
  /** What else a pipeline sets. */
  also?: Document
}

/** Matches users of whom that can be used up. */
export const usable = ({ factor, recoveryCode }: UsedFactor): OwnerFilter => ({
  ...(factor && { factors: { $elemMatch: { kind: { $exists: true }, ...factor } } }),
  ...(recoveryCode !== undefined && { recoveryCodes: recoveryCode })
})

/** The fields that a pipeline sets to use it up. */
export function useUp({ factor, set = {}, recoveryCode, push = {}, also }: UsedFactor): Document {
  const pushed = Object.entries(push).map(([field, value]) => [
    field,
    { $concatArrays: [{ $ifNull: [`$${field}`, []] }, [{ $literal: value }]] }
  ])

  return {
    ...(factor && { factors: withElement('$factors', factor.id, { $literal: set }) }),
    ...(recoveryCode !== undefined && {
      recoveryCodes: {
        $filter: { input: '$recoveryCodes', cond: { $ne: ['$$this', { $literal: recoveryCode }] } }
      }
    }),
    ...Object.fromEntries(pushed),
    ...also
  }
}

/** A list in which the element of that id has other fields. */
export const withElement = (list: string, id: string, fields: Document): Document => ({
  $map: {
    input: list,
    in: {
      $cond: [{ $eq: ['$$this.id', { $literal: id }] }, { $mergeObjects: ['$$this', fields] }, '$$this']
    }
  }
})
