import { Type } from '@feathersjs/typebox'
import { registrationResponseSchema } from '../../passkeys/internal.js'
import { getDataValidator } from '../../validators.js'

const name = Type.String({ minLength: 1, maxLength: 100 })

/** A registration: the response to a challenge. */
export const registrationSchema = Type.Object(
  {
    challenge: Type.String({ minLength: 1, maxLength: 1024, description: 'The id of the challenge' }),
    response: registrationResponseSchema
  },
  { additionalProperties: false }
)

/** A passkey, as its owner sees it. */
export const passkeySchema = Type.Object(
  {
    id: Type.String(),
    name,
    createdAt: Type.Unsafe<Date>({ type: 'string', format: 'date-time' }),
    usedAt: Type.Optional(Type.Unsafe<Date>({ type: 'string', format: 'date-time' }))
  },
  { $id: 'Passkey', additionalProperties: false }
)

export const passkeyDataSchema = Type.Object(
  { ...registrationSchema.properties, name: Type.Optional(name) },
  { $id: 'PasskeyData', additionalProperties: false }
)
export const passkeyDataValidator = getDataValidator(passkeyDataSchema)

export const passkeyPatchSchema = Type.Object({ name }, { $id: 'PasskeyPatch', additionalProperties: false })
export const passkeyPatchValidator = getDataValidator(passkeyPatchSchema)
