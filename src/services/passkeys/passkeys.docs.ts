import { Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import { passkeyDataSchema, passkeyPatchSchema, passkeySchema } from './passkeys.schema.js'

export const passkeyDocs: ServiceDocs = {
  description: 'The passkeys of the caller',
  methods: {
    find: { summary: 'Own passkeys', answer: Type.Array(passkeySchema) },
    create: {
      summary: 'The passkey that was added',
      description:
        'A refused registration is a 400 with `data.reason` `invalid`, or `expired` if its challenge is late or used; a ' +
        'passkey that is known already is a 409. The first factor comes with recovery codes.',
      data: passkeyDataSchema,
      answer: Type.Object(
        {
          ...passkeySchema.properties,
          recoveryCodes: Type.Optional(
            Type.Array(Type.String({ description: 'Each is good once; they can not be read again' }))
          )
        },
        { additionalProperties: false }
      ),
      errors: [409]
    },
    patch: {
      summary: 'The passkey, renamed',
      data: passkeyPatchSchema,
      example: { name: 'Phone' },
      answer: passkeySchema
    },
    remove: {
      summary: 'The passkey is gone',
      description:
        'It takes a sign-in or step-up of the last ten minutes: else 401 with the reason `step-up`. The last way in to ' +
        'the account can not be removed: 409.',
      answer: passkeySchema,
      errors: [409]
    }
  }
}
