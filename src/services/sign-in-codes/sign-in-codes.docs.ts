import { Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import { signInCodeDataSchema } from './sign-in-codes.schema.js'

export const signInCodeDocs: ServiceDocs = {
  description: 'Codes that sign in',
  methods: {
    create: {
      summary: 'A code is mailed, if there is such an account',
      description:
        'The code signs in with the strategy `email-code` and this id: for ten minutes, with five tries, and once.',
      data: signInCodeDataSchema,
      example: { email: 'ada@example.com' },
      answer: Type.Object({ id: Type.String() }, { additionalProperties: false }),
      errors: [429],
      access: 'anyone'
    }
  }
}
