import { Type } from '@feathersjs/typebox'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import {
  userDataSchema,
  userPatchSchema,
  userQuerySchema,
  userSchema,
  userWithPasskeySchema
} from './users.schema.js'

const selected = Type.Partial(userSchema, { $id: 'SelectedUser', additionalProperties: false })
const page = Type.Object({
  total: Type.Integer(),
  limit: Type.Integer(),
  skip: Type.Integer(),
  data: Type.Array(selected)
})

/** @param hasPasskeys Whether accounts may have a passkey in place of a password */
export const userDocs = (hasPasskeys: boolean): ServiceDocs => ({
  description: 'Accounts. All but admins see and change their own only',
  id: userSchema.properties._id,
  methods: {
    find: { summary: 'A page of users', query: userQuerySchema, answer: page },
    get: { summary: 'A user', query: Type.Pick(userQuerySchema, ['$select']), answer: selected },
    create: {
      summary: 'The user that signed up',
      description: 'The most common passwords, and the email as a password, are refused with 400.',
      data: hasPasskeys ? Type.Unsafe({ oneOf: [userDataSchema, userWithPasskeySchema] }) : userDataSchema,
      example: { email: 'grace@example.com', password: 'correct horse battery', name: 'Grace' },
      answer: userSchema,
      errors: [409, 429],
      access: 'anyone'
    },
    patch: {
      summary: 'The changed user',
      description:
        'The own `email` and `password` need `currentPassword`; `roles` and `disabled` are changed by admins. A new ' +
        'password ends the other sessions of the user, `disabled` all.',
      data: userPatchSchema,
      example: { name: 'Grace' },
      answer: userSchema,
      errors: [403, 409, 429]
    },
    remove: {
      summary: 'The deleted user',
      description:
        'The own account takes a sign-in of the last ten minutes: else 401 with the reason `step-up`.',
      answer: userSchema
    }
  }
})
