import { StringEnum, Type } from '@feathersjs/typebox'
import { eventTypes, type AuditEvent } from './trail/event.js'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import { roles } from '../users/roles.js'
import { sessionSchema } from '../sessions/sessions.docs.js'
import { userSchema } from '../users/users.schema.js'
import { eventQuerySchema } from './events.schema.js'

const text = Type.Optional(Type.String())

const eventSchema = Type.Object(
  {
    _id: userSchema.properties._id,
    type: StringEnum([...eventTypes]),
    userId: Type.Optional(Type.String({ description: 'Whose account it is about' })),
    sessionId: text,
    strategy: text,
    factor: Type.Optional(Type.String({ description: 'The kind of a factor that was added or removed' })),
    reason: Type.Optional(Type.String({ description: 'Why a session ended, or a sign-in was refused' })),
    roles: Type.Optional(Type.Array(StringEnum([...roles]))),
    by: Type.Optional(Type.String({ description: 'The id of the user who did it' })),
    device: sessionSchema.properties.device,
    createdAt: sessionSchema.properties.createdAt
  } satisfies Record<keyof AuditEvent, unknown>,
  { $id: 'Event', additionalProperties: false }
)

export const eventDocs: ServiceDocs = {
  description: 'What happened to the account of the caller',
  methods: {
    find: {
      summary: 'A page of events, newest first',
      description: "An admin asks for another user's with `userId`, or for those of `all`.",
      query: eventQuerySchema,
      answer: Type.Object({
        total: Type.Integer(),
        limit: Type.Integer(),
        skip: Type.Integer(),
        data: Type.Array(eventSchema)
      }),
      errors: [403]
    }
  }
}
