import { authenticate } from '@feathersjs/authentication'
import { passwordHash } from '@feathersjs/authentication-local'
import { MongoDBService, keywordObjectId } from '@feathersjs/mongodb'
import { Ajv, hooks as schemaHooks, resolve } from '@feathersjs/schema'
import {
  ObjectIdSchema,
  Type,
  getDataValidator,
  getValidator,
  querySyntax,
  type Static
} from '@feathersjs/typebox'
import type { Application, HookContext } from './declarations.js'

const dataValidator = new Ajv({}).addKeyword(keywordObjectId)
const queryValidator = new Ajv({ coerceTypes: true }).addKeyword(keywordObjectId)

const userSchema = Type.Object(
  {
    _id: ObjectIdSchema(),
    email: Type.String(),
    password: Type.Optional(Type.String()),
    refreshToken: Type.Optional(Type.String())
  },
  { $id: 'User', additionalProperties: false }
)
type User = Static<typeof userSchema>

const userResolver = resolve<User, HookContext>({})
const userExternalResolver = resolve<User, HookContext>({
  password: async () => undefined,
  refreshToken: async () => undefined
})

const userDataSchema = Type.Pick(userSchema, ['email', 'password'], {
  $id: 'UserData',
  additionalProperties: false
})
const userDataValidator = getDataValidator(userDataSchema, dataValidator)
const userDataResolver = resolve<User, HookContext>({ password: passwordHash({ strategy: 'local' }) })

const userPatchSchema = Type.Partial(userSchema, { $id: 'UserPatch' })
const userPatchValidator = getDataValidator(userPatchSchema, dataValidator)
const userPatchResolver = resolve<User, HookContext>({ password: passwordHash({ strategy: 'local' }) })

const userQuerySchema = Type.Intersect(
  [querySyntax(Type.Pick(userSchema, ['_id', 'email'])), Type.Object({}, { additionalProperties: false })],
  { additionalProperties: false }
)
const userQueryValidator = getValidator(userQuerySchema, queryValidator)
const userQueryResolver = resolve<Static<typeof userQuerySchema>, HookContext>({
  _id: async (value, _user, { params }) => (params.user ? params.user._id : value)
})

/** The users, as the generator makes them, with a field for the refresh token. */
export const users = (app: Application) => {
  app.use(
    'users',
    new MongoDBService({
      paginate: app.get('paginate'),
      Model: app.get('mongodb').collection('users')
    }),
    { methods: ['find', 'get', 'create', 'patch', 'remove'] }
  )
  app.service('users').hooks({
    around: {
      all: [schemaHooks.resolveExternal(userExternalResolver), schemaHooks.resolveResult(userResolver)],
      find: [authenticate('jwt')],
      get: [authenticate('jwt')],
      create: [],
      patch: [authenticate('jwt')],
      remove: [authenticate('jwt')]
    },
    before: {
      all: [schemaHooks.validateQuery(userQueryValidator), schemaHooks.resolveQuery(userQueryResolver)],
      create: [schemaHooks.validateData(userDataValidator), schemaHooks.resolveData(userDataResolver)],
      patch: [schemaHooks.validateData(userPatchValidator), schemaHooks.resolveData(userPatchResolver)]
    }
  })
}
