import { StringEnum, Type } from '@feathersjs/typebox'
import { getDataValidator, getQueryValidator } from '../../validators.js'

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

export const factorRemoveQuerySchema = Type.Object(
  {
    userId: Type.Optional(
      Type.String({ minLength: 1, description: 'For admins: whose factors are all removed' })
    )
  },
  { $id: 'FactorRemoveQuery', additionalProperties: false }
)
export const factorRemoveQueryValidator = getQueryValidator(factorRemoveQuerySchema)
