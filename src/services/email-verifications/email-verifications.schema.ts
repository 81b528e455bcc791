import { Type } from '@feathersjs/typebox'
import { getDataValidator } from '../../validators.js'
import { token } from '../password-resets/password-resets.schema.js'
import { userSchema } from '../users/users.schema.js'

export const emailVerificationDataSchema = Type.Object(
  { email: Type.Optional(userSchema.properties.email) },
  { $id: 'EmailVerificationData', additionalProperties: false }
)
export const emailVerificationDataValidator = getDataValidator(emailVerificationDataSchema)

export const emailVerificationPatchSchema = Type.Object(
  { token, password: Type.Optional(Type.String()), keep: Type.Optional(Type.Literal(true)) },
  { $id: 'EmailVerificationPatch', additionalProperties: false }
)
export const emailVerificationPatchValidator = getDataValidator(emailVerificationPatchSchema)
