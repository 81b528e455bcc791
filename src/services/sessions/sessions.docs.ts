import { Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import type { Session } from '../../refresh-token/index.js'
import { sessionPatchSchema, sessionQuerySchema, sessionRemoveQuerySchema } from './sessions.schema.js'

const date = Type.Unsafe<Date>({ type: 'string', format: 'date-time' })

/** A session, as its owner sees it. */
export const sessionSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    current: Type.Boolean({ description: 'Whether it is the session of the caller' }),
    device: Type.Partial(
      Type.Object({ id: Type.String(), name: Type.String(), userAgent: Type.String(), ip: Type.String() }),
      { additionalProperties: false }
    ),
    strategy: Type.String({ description: 'How it was signed in' }),
    createdAt: date,
    refreshedAt: date,
    expiresAt: date,
    withoutFactor: Type.Optional(
      Type.Literal(true, {
        description: 'In lists: no factor was given in it, though its user has one by now'
      })
    )
  } satisfies Record<keyof Session, unknown>,
  { $id: 'Session', additionalProperties: false }
)

export const sessionDocs: ServiceDocs = {
  description: "Sessions of the caller; an admin asks for another user's with `userId`",
  id: sessionSchema.properties.id,
  methods: {
    find: {
      summary: 'The live sessions, newest first',
      query: sessionQuerySchema,
      answer: Type.Array(sessionSchema),
      errors: [403]
    },
    get: { summary: 'A session', query: sessionQuerySchema, answer: sessionSchema, errors: [403] },
    patch: {
      summary: 'The session with the renamed device',
      query: sessionQuerySchema,
      data: sessionPatchSchema,
      example: { device: { name: 'Laptop' } },
      answer: sessionSchema,
      errors: [403]
    },
    remove: {
      summary: 'The ended session',
      query: sessionQuerySchema,
      answer: sessionSchema,
      errors: [403]
    }
  },
  removeWithoutId: {
    summary: 'The ended sessions',
    description: 'All of them; with `current=false`, all but the current one.',
    query: sessionRemoveQuerySchema,
    answer: Type.Array(sessionSchema),
    errors: [403]
  }
}
