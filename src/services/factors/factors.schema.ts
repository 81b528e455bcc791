import { StringEnum, Type } from '@feathersjs/typebox'
import { getDataValidator } from '../../validators.js'

export const factorDataSchema = Type.Object(
  { kind: StringEnum(['totp', 'recovery-codes']) },
  { $id: 'FactorData', additionalProperties: false }
)
export const factorDataValidator = getDataValidator(factorDataSchema)

export const factorPatchSchema = Type.Object(
  {
    code: Type.String({ minLength: 1, maxLength: 128 }),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 100 }))
  },
  { $id: 'FactorPatch', additionalProperties: false }
)
export const factorPatchValidator = getDataValidator(factorPatchSchema)
