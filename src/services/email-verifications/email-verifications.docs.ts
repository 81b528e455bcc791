import { Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import { emailVerificationDataSchema, emailVerificationPatchSchema } from './email-verifications.schema.js'

const nothing = Type.Object({}, { additionalProperties: false })

export const emailVerificationDocs: ServiceDocs = {
  description: 'Verification of email addresses',
  methods: {
    create: {
      summary: 'A link is mailed, if there is anything to verify',
      description:
        'Without `email`, to the caller’s own unverified or pending address. With one, the answer is the same whether or ' +
        'not an account has it.',
      data: emailVerificationDataSchema,
      example: { email: 'ada@example.com' },
      answer: nothing,
      errors: [401, 429],
      access: 'anyone, and more with a token'
    },
    patch: {
      summary: 'The address is verified, or replaces the old one',
      description:
        'The id and the token are those of the link, which works for the user only, signed in, with the password, or with ' +
        'the response of a passkey to a challenge for a sign-in. With `keep`, for the link in the mail to the old address, a change is reverted and all sessions end. A wrong, used or ' +
        'replaced link is a 400 with `data.reason` `invalid`, an expired one with `expired`.',
      data: emailVerificationPatchSchema,
      answer: nothing,
      errors: [401, 429],
      access: 'anyone, and more with a token'
    }
  }
}
