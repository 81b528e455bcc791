import { StringEnum, Type, type Static } from '@feathersjs/typebox'
import { eventTypes } from './trail/event.js'
import { getQueryValidator } from '../../validators.js'

const count = Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }) // what MongoDB accepts

export const eventQuerySchema = Type.Partial(
  Type.Object({
    /** For admins: another user's id, or `all`. */
    userId: Type.String({ minLength: 1 }),
    type: StringEnum([...eventTypes]),
    $limit: count,
    $skip: count
  }),
  { $id: 'EventQuery', additionalProperties: false }
)
export type EventQuery = Static<typeof eventQuerySchema>
export const eventQueryValidator = getQueryValidator(eventQuerySchema)
