import { Type } from '@feathersjs/typebox'
import { assertionSchema } from '../../passkeys/internal.js'
import { getDataValidator } from '../../validators.js'
import { token } from '../password-resets/password-resets.schema.js'
import { userSchema } from '../users/users.schema.js'

export const emailVerificationDataSchema = Type.Object(
  { email: Type.Optional(userSchema.properties.email) },
  { $id: 'EmailVerificationData', additionalProperties: false }
)
export const emailVerificationDataValidator = getDataValidator(emailVerificationDataSchema)

export const emailVerificationPatchSchema = Type.Object(
  {
    token,
    password: Type.Optional(Type.String()),
    passkey: Type.Optional(assertionSchema),
    keep: Type.Optional(Type.Literal(true))
  },
  { $id: 'EmailVerificationPatch', additionalProperties: false }
)
export const emailVerificationPatchValidator = getDataValidator(emailVerificationPatchSchema)
