import { StringEnum, Type } from '@feathersjs/typebox'
import { purposes } from '../../passkeys/internal.js'
import { getDataValidator } from '../../validators.js'

export const passkeyChallengeDataSchema = Type.Object(
  {
    purpose: StringEnum([...purposes]),
    challenge: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 4096,
        description: 'That of the refusal `factor`, which the purpose `factor` needs'
      })
    )
  },
  { $id: 'PasskeyChallengeData', additionalProperties: false }
)
export const passkeyChallengeDataValidator = getDataValidator(passkeyChallengeDataSchema)
