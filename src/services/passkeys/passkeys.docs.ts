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
        'passkey that is known already is a 409.',
      data: passkeyDataSchema,
      answer: passkeySchema,
      errors: [409]
    },
    patch: {
      summary: 'The passkey, renamed',
      data: passkeyPatchSchema,
      example: { name: 'Phone' },
      answer: passkeySchema
    }
  }
}
