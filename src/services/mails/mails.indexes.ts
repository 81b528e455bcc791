import { indexedFields } from '../../accounts/internal.js'
import type { NeededIndex } from '../../database/indexes.js'

const ofSome = (field: string): NeededIndex => ({
  collection: 'users',
  key: { [field]: 1 },
  partialFilterExpression: { [field]: { $exists: true } }
})

/** By which the users of links are found, and the few users about whom a mail is to be sent. */
export const mailIndexes: NeededIndex[] = indexedFields.map(ofSome)
