import { caseInsensitive, type NeededIndex } from '../../database/indexes.js'

export const userIndexes: NeededIndex[] = [
  { collection: 'users', key: { email: 1 }, unique: true, collation: caseInsensitive },
  { collection: 'users', key: { 'identities.$**': 1 } } // for OAuth, one index for all providers
]
