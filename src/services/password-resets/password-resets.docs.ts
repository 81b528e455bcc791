import { Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import { passwordResetDataSchema, passwordResetPatchSchema } from './password-resets.schema.js'

const nothing = Type.Object({}, { additionalProperties: false })

export const passwordResetDocs: ServiceDocs = {
  description: 'Password resets by mail',
  methods: {
    create: {
      summary: 'A link is mailed, if there is such an account',
      description: 'The answer is the same whether there is one or not.',
      data: passwordResetDataSchema,
      example: { email: 'ada@example.com' },
      answer: nothing,
      errors: [401, 429],
      access: 'anyone, and more with a token'
    },
    patch: {
      summary: 'The password is set, and all sessions have ended',
      description:
        'The id and the token are those of the link. A wrong, used or replaced one is a 400 with `data.reason` ' +
        '`invalid`, an expired one with `expired`.',
      data: passwordResetPatchSchema,
      answer: nothing,
      access: 'anyone'
    }
  }
}
