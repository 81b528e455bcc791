import type { Document } from 'mongodb'
import type { UserChange } from './user-changes.js'

// What a refresh writes into the session it renews: nobody else needs to hear of it
const rotated = '^sessions\\.\\d+\\.(used|keys|refreshedAt|expiresAt|token)(\\.|$)'

const changedFields = {
  $concatArrays: [
    {
      $map: {
        input: { $objectToArray: { $ifNull: ['$updateDescription.updatedFields', {}] } },
        in: '$$this.k'
      }
    },
    { $ifNull: ['$updateDescription.removedFields', []] }
  ]
}
const isRotated = { $regexMatch: { input: '$$this', regex: rotated } }

/** Filtered on the server: of the many rotations none is sent. And projected there: no value gets out. */
export const pipeline: Document[] = [
  {
    $match: {
      $or: [
        { operationType: { $ne: 'update' } },
        { 'updateDescription.truncatedArrays.0': { $exists: true } },
        { $expr: { $not: { $allElementsTrue: { $map: { input: changedFields, in: isRotated } } } } }
      ]
    }
  },
  { $project: { operationType: 1, documentKey: 1, wallTime: 1, fields: changedFields } }
]

/** A change as the stream tells it. */
export interface RawChange {
  operationType: UserChange['operation']
  /** None where the collection was dropped or renamed. */
  documentKey?: { _id: unknown }
  wallTime?: Date
  fields: string[]
}
