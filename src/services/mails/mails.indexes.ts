import { indexedFields } from '../../accounts/internal.js'
import type { NeededIndex } from '../../database/indexes.js'

const ofSome = (field: string): NeededIndex => ({
  collection: 'users',
  key: { [field]: 1 },
  partialFilterExpression: { [field]: { $exists: true } }
})

/** The indexes that find the users of links, and the few users with mails to send. */
export const mailIndexes: NeededIndex[] = indexedFields.map(ofSome)

/** The index that finds the users of links to choose a password, which there are without mail, too. */
export const linkIndexes: NeededIndex[] = [ofSome('passwordReset.id')]
