import { Type } from '@feathersjs/typebox'
import { getDataValidator, getQueryValidator } from '../../validators.js'
import { userSchema, userDataSchema } from '../users/users.schema.js'

const linkText = Type.String({ minLength: 1, maxLength: 128 })

/** Ids and tokens of links, which are random and short. */
export const token = linkText

export const passwordResetDataSchema = Type.Object(
  { email: userSchema.properties.email },
  { $id: 'PasswordResetData', additionalProperties: false }
)
export const passwordResetDataValidator = getDataValidator(passwordResetDataSchema)

export const passwordResetPatchSchema = Type.Object(
  { token, password: userDataSchema.properties.password },
  { $id: 'PasswordResetPatch', additionalProperties: false }
)
export const passwordResetPatchValidator = getDataValidator(passwordResetPatchSchema)

/** None of these services takes a query. */
export const noQueryValidator = getQueryValidator(Type.Object({}, { additionalProperties: false }))
