import { Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import { passkeyChallengeDataSchema } from './passkey-challenges.schema.js'

export const passkeyChallengeDocs: ServiceDocs = {
  description: 'What a browser asks an authenticator for',
  methods: {
    create: {
      summary: 'A challenge for one purpose, good once, for five minutes',
      description:
        '`sign-in` and `sign-up` are for anyone, and tell nothing of accounts; `register` and `step-up` take an access ' +
        'token, `register` a recent sign-in too; `factor` takes the challenge of a refused sign-in.',
      data: passkeyChallengeDataSchema,
      example: { purpose: 'sign-in' },
      answer: Type.Object(
        {
          id: Type.String({ description: 'The `challenge` to send back with the response' }),
          options: Type.Object(
            {},
            {
              additionalProperties: true,
              description:
                'For `PublicKeyCredential.parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON` (WebAuthn §5.1)'
            }
          )
        },
        { additionalProperties: false }
      ),
      errors: [401, 429],
      access: 'anyone, and more with a token'
    }
  }
}
