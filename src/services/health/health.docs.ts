import { Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'

export const healthDocs: ServiceDocs = {
  description: 'Whether the service can work',
  methods: {
    find: {
      summary: 'The database can be reached',
      answer: Type.Object({ status: Type.Literal('ok') }, { additionalProperties: false }),
      access: 'anyone'
    }
  }
}
