import { StringEnum, Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import { roles } from '../users/roles.js'

const id = StringEnum(['public', ...roles])
const board = Type.Object(
  { id, title: Type.String(), text: Type.String() },
  { $id: 'Board', additionalProperties: false }
)
const access = 'anyone, and more with a token'

export const contentDocs: ServiceDocs = {
  description: 'Boards that some may read: the example of a protected resource',
  id,
  methods: {
    find: {
      summary: 'The boards that the caller may read',
      answer: Type.Array(board),
      errors: [401],
      access
    },
    get: { summary: 'A board', answer: board, errors: [401, 403], access }
  }
}
