import { Type } from '@feathersjs/typebox'
import type { OperationDocs, ServiceDocs } from '../../openapi/service-docs.js'
import { passwordResetDataSchema, passwordResetPatchSchema } from './password-resets.schema.js'

const nothing = Type.Object({}, { additionalProperties: false })

const create: OperationDocs = {
  summary: 'A link is mailed, if there is such an account',
  description: 'The answer is the same whether there is one or not.',
  data: passwordResetDataSchema,
  example: { email: 'ada@example.com' },
  answer: nothing,
  errors: [401, 429],
  access: 'anyone, and more with a token'
}

export const passwordResetDocs = (isMailed: boolean): ServiceDocs => ({
  description: isMailed ? 'Password resets by mail' : 'Password resets by a link of `moult users reset`',
  methods: {
    ...(isMailed && { create }),
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
})
