import type { Document, Timestamp } from 'mongodb'

// The fields that a refresh writes into its session: no other process needs them
const rotated = (field: string) => `^${field}\\.\\d+\\.(used|keys|refreshedAt|expiresAt|token)(\\.|$)`

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
const isRotated = (field: string) => ({ $regexMatch: { input: '$$this', regex: rotated(field) } })

/**
 * Filters refreshes out on the server, and projects away all values: only names of fields are sent.
 *
 * @param field The name of the field that holds the sessions
 */
export const pipelineFor = (field: string): Document[] => [
  {
    $match: {
      $or: [
        { operationType: { $ne: 'update' } },
        { 'updateDescription.truncatedArrays.0': { $exists: true } },
        { $expr: { $not: { $allElementsTrue: { $map: { input: changedFields, in: isRotated(field) } } } } }
      ]
    }
  },
  { $project: { operationType: 1, documentKey: 1, clusterTime: 1, wallTime: 1, fields: changedFields } }
]

/** A change as the stream sends it. */
export interface RawChange {
  operationType: 'insert' | 'update' | 'replace' | 'delete'
  /** Missing when the collection was dropped or renamed. */
  documentKey?: { _id: unknown }
  clusterTime?: Timestamp
  wallTime?: Date
  fields: string[]
}
