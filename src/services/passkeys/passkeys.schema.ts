import { Type } from '@feathersjs/typebox'
import { registrationSchema } from '../../passkeys/internal.js'
import { getDataValidator } from '../../validators.js'

const name = Type.String({ minLength: 1, maxLength: 100 })

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
