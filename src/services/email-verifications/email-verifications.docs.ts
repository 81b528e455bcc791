import { Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import { emailVerificationDataSchema, emailVerificationPatchSchema } from './email-verifications.schema.js'

const nothing = Type.Object({}, { additionalProperties: false })

export const emailVerificationDocs: ServiceDocs = {
  description: 'Proofs that an address is its owner’s',
  methods: {
    create: {
      summary: 'A link is mailed, if there is anything to verify',
      description:
        'Without `email` to the own unverified or pending address. With one the answer is the same, whatever account has ' +
        'it.',
      data: emailVerificationDataSchema,
      example: { email: 'ada@example.com' },
      answer: nothing,
      errors: [401, 429],
      access: 'anyone, and more with a token'
    },
    patch: {
      summary: 'The address is verified, or takes the place of the old one',
      description:
        'The id and the token are those of the link; it counts for who is signed in as that user, or gives the password, or ' +
        'the response of a passkey to a challenge for a sign-in. ' +
        'With `keep`, the link in the mail to the old address, a change is taken back and all sessions end. A wrong, used ' +
        'or replaced link is a 400 with `data.reason` `invalid`, a late one `expired`.',
      data: emailVerificationPatchSchema,
      answer: nothing,
      errors: [401, 429],
      access: 'anyone, and more with a token'
    }
  }
}
