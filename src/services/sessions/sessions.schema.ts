import { Type, type Static } from '@feathersjs/typebox'
import { getDataValidator, getQueryValidator } from '../../validators.js'

export const sessionPatchSchema = Type.Object(
  {
    device: Type.Object(
      { name: Type.String({ minLength: 1, maxLength: 100 }) },
      { additionalProperties: false }
    )
  },
  { $id: 'SessionPatch', additionalProperties: false }
)
export type SessionPatch = Static<typeof sessionPatchSchema>
export const sessionPatchValidator = getDataValidator(sessionPatchSchema)

const userId = Type.Optional(Type.String({ minLength: 1 }))

export const sessionQuerySchema = Type.Object(
  { userId },
  { $id: 'SessionQuery', additionalProperties: false }
)
export const sessionQueryValidator = getQueryValidator(sessionQuerySchema)

/** For `remove` without an id only: `current=false` keeps the caller's session. */
export const sessionRemoveQuerySchema = Type.Object(
  { userId, current: Type.Optional(Type.Boolean({ const: false })) },
  { $id: 'SessionRemoveQuery', additionalProperties: false }
)
export const sessionRemoveQueryValidator = getQueryValidator(sessionRemoveQuerySchema)
export type SessionQuery = Static<typeof sessionRemoveQuerySchema>
