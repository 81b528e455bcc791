import { StringEnum, Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'

export const readyDocs: ServiceDocs = {
  description: 'Whether this instance should get requests',
  methods: {
    find: {
      summary: 'The database can be reached, and its change stream responds',
      description:
        'If there can be no change stream, none is needed. `mail` tells whether mail has been waiting for five minutes.',
      answer: Type.Object(
        {
          status: Type.Literal('ok'),
          changes: StringEnum(['fresh', 'not needed']),
          mail: Type.Optional(StringEnum(['ok', 'stuck']))
        },
        { additionalProperties: false }
      ),
      access: 'anyone'
    }
  }
}
