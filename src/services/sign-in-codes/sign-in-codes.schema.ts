import { Type } from '@feathersjs/typebox'
import { getDataValidator } from '../../validators.js'
import { userSchema } from '../users/users.schema.js'

export const signInCodeDataSchema = Type.Object(
  { email: userSchema.properties.email },
  { $id: 'SignInCodeData', additionalProperties: false }
)
export const signInCodeDataValidator = getDataValidator(signInCodeDataSchema)
