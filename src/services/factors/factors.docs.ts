import { Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import { sessionSchema } from '../sessions/sessions.docs.js'
import { factorDataSchema, factorPatchSchema, factorRemoveQuerySchema } from './factors.schema.js'

const time = Type.Optional(sessionSchema.properties.createdAt)
const codes = Type.Array(Type.String({ description: 'Each is good once; they can not be read again' }))
const factor = Type.Object(
  {
    id: Type.String(),
    kind: Type.String({ description: 'totp, passkey, or recovery-codes' }),
    name: Type.Optional(Type.String()),
    createdAt: time,
    usedAt: time,
    left: Type.Optional(Type.Integer({ description: 'How many recovery codes are left' }))
  },
  { additionalProperties: false }
)

const recent = 'It takes a sign-in or step-up of the last ten minutes: else 401 with the reason `step-up`.'

export const factorDocs: ServiceDocs = {
  description: 'Second factors of the caller',
  id: Type.String(),
  methods: {
    find: { summary: 'The factors', answer: Type.Array(factor) },
    create: {
      summary: 'An app for codes, which counts once it is confirmed, or new recovery codes',
      description: `\`uri\` is what a QR code shows to the app. ${recent}`,
      data: factorDataSchema,
      example: { kind: 'totp' },
      answer: Type.Object(
        {
          id: Type.String(),
          kind: Type.String(),
          secret: Type.Optional(Type.String()),
          uri: Type.Optional(Type.String()),
          recoveryCodes: Type.Optional(codes)
        },
        { additionalProperties: false }
      ),
      errors: [409]
    },
    patch: {
      summary: 'The app is confirmed by a code of it',
      description: `The first factor comes with recovery codes. ${recent}`,
      data: factorPatchSchema,
      example: { code: '123456', name: 'Phone' },
      answer: Type.Object(
        { id: Type.String(), kind: Type.String(), recoveryCodes: Type.Optional(codes) },
        { additionalProperties: false }
      ),
      errors: [409]
    },
    remove: {
      summary: 'The factor is gone; with the last one the recovery codes, too',
      description: recent,
      answer: factor,
      errors: [409]
    }
  },
  removeWithoutId: {
    summary: 'All factors of another user are gone, and all sessions have ended',
    description: `For admins, with \`userId\`. ${recent}`,
    query: factorRemoveQuerySchema,
    answer: Type.Array(factor),
    errors: [403]
  }
}
