import type { NeededIndex } from '../database/indexes.js'

/** Where the counts are kept. */
export const rateLimitsCollection = 'rateLimits'

export const rateLimitIndexes: NeededIndex[] = [
  // One count per key, even when two requests begin it at once
  { collection: rateLimitsCollection, key: { key: 1 }, unique: true },
  { collection: rateLimitsCollection, key: { expire: 1 }, expireAfterSeconds: 0 }
]
