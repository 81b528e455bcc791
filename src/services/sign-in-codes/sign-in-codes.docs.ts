import { Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import { signInCodeDataSchema } from './sign-in-codes.schema.js'

export const signInCodeDocs: ServiceDocs = {
  description: 'Codes to sign in with',
  methods: {
    create: {
      summary: 'A code is mailed, if there is such an account',
      description:
        'The code signs in with the strategy `email-code` and this id. It is valid for ten minutes, five tries and one use.',
      data: signInCodeDataSchema,
      example: { email: 'ada@example.com' },
      answer: Type.Object({ id: Type.String() }, { additionalProperties: false }),
      errors: [429],
      access: 'anyone'
    }
  }
}
