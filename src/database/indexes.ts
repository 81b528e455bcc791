import type { Document } from 'mongodb'

/** Strength 2 distinguishes accents but not case, so emails are unique in any case. */
export const caseInsensitive = { locale: 'en', strength: 2 }

/** An index that the service needs. */
export interface NeededIndex {
  collection: string
  key: Record<string, 1 | -1>
  unique?: true
  collation?: typeof caseInsensitive
  expireAfterSeconds?: number
  partialFilterExpression?: Document
}

const duplicateKey = 11000 // MongoDB's error code

/** Whether a unique index refused a write, according to an error of the driver or of the Feathers adapter. */
export function isDuplicate(error: unknown): boolean {
  const { code, data } = error as { code?: unknown; data?: { code?: unknown } }

  return code === duplicateKey || data?.code === duplicateKey
}
