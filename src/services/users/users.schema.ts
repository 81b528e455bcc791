import { resolve } from '@feathersjs/schema'
import { StringEnum, Type, queryProperties, type Static } from '@feathersjs/typebox'
import type { ObjectId } from 'mongodb'
import type { hiddenFields } from '../../accounts/internal.js'
import type { HookContext } from '../../declarations.js'
import { registrationSchema } from '../../passkeys/internal.js'
import type { factorFields } from '../../refresh-token/index.js'
import { isAdmin, roles, type Role } from './roles.js'
import { getDataValidator, getQueryValidator } from '../../validators.js'

// Feathers' own ObjectIdSchema accepts any object, including operators
const objectId = Type.Unsafe<ObjectId>({ objectid: true })
const email = Type.String({ format: 'email', maxLength: 254 }) // RFC 5321 §4.5.3.1.3, less the angle brackets
const name = Type.String({ minLength: 1, maxLength: 100 })
const password = Type.Unsafe<string>({ type: 'string', passwordLength: [8, 128] })
const rolesOf = Type.Unsafe<Role[]>(
  Type.Array(StringEnum([...roles]), { uniqueItems: true, maxItems: roles.length })
)

/** A user, as shown to clients. The stored document also has `password`, `sessions` and `identities`. */
export const userSchema = Type.Object(
  {
    _id: objectId,
    email,
    name: Type.Optional(name),
    roles: rolesOf,
    disabled: Type.Boolean(),
    createdAt: Type.Unsafe<Date>({ date: true }),
    emailVerified: Type.Optional(Type.Boolean({ description: 'Only where mail is configured' })),
    pendingEmail: Type.Optional(
      Type.String({ description: 'Takes the place of the email once it is verified' })
    )
  },
  { $id: 'User', additionalProperties: false }
)
export type User = Static<typeof userSchema>

type HiddenField = (typeof hiddenFields)[number] | (typeof factorFields)[number]

/** Removes hidden fields, even if a hook adds them. */
export const userExternalResolver = resolve<
  User & { password: string; sessions: unknown; identities: unknown } & Record<HiddenField, unknown>,
  HookContext
>({
  password: async () => undefined,
  identities: async () => undefined,
  sessions: async () => undefined,
  passwordReset: async () => undefined,
  emailVerification: async () => undefined,
  formerEmails: async () => undefined,
  notices: async () => undefined,
  newPasswordNeeded: async () => undefined,
  factors: async () => undefined,
  recoveryCodes: async () => undefined,
  recoveryCodesAt: async () => undefined,
  pendingFactor: async () => undefined,
  passkeyHandle: async () => undefined,
  emailVerified: async (value, _user, { app }) => value ?? (app.get('mail') ? false : undefined)
})

export const userDataSchema = Type.Object(
  { email, password, name: Type.Optional(name) },
  { $id: 'UserData', additionalProperties: false }
)
export type UserData = Static<typeof userDataSchema>
export const userDataValidator = getDataValidator(userDataSchema)
export const userDataResolver = resolve<User & { sessions: unknown[] }, HookContext>({
  email: async (value) => value?.toLowerCase(),
  roles: async () => ['user'],
  disabled: async () => false,
  sessions: async () => [],
  createdAt: async (_value, _user, context) => new Date(context.app.get('now')())
})

/** Where there are passkeys: the account has one, and no password. */
export const userWithPasskeySchema = Type.Object(
  { email, name: Type.Optional(name), passkey: registrationSchema },
  { $id: 'UserWithPasskey', additionalProperties: false }
)
export const userWithPasskeyValidator = getDataValidator(userWithPasskeySchema)

export const userPatchSchema = Type.Partial(
  Type.Object({
    name,
    email,
    password,
    currentPassword: Type.String(),
    roles: rolesOf,
    disabled: Type.Boolean()
  }),
  { $id: 'UserPatch', additionalProperties: false }
)
export type UserPatch = Static<typeof userPatchSchema>
export const userPatchValidator = getDataValidator(userPatchSchema)
export const userPatchResolver = resolve<UserPatch, HookContext>({
  email: async (value) => value?.toLowerCase(),
  currentPassword: async () => undefined
})

const queryable = Type.Object({
  _id: objectId,
  email: Type.String(),
  name: Type.String(),
  roles: Type.String(),
  disabled: Type.Boolean(),
  createdAt: Type.Unsafe<Date>({ date: true })
})
const queryableNames = Object.keys(queryable.properties) as (keyof typeof queryable.properties)[]
const filter = queryProperties(queryable)
const count = Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }) // what MongoDB accepts
const direction = Type.Unsafe<1 | -1>({ type: 'integer', enum: [1, -1] })

/** Feathers' query syntax. Its `querySyntax` leaves gaps: fields of any name in `$and`, a `$sort` by 0, any `$skip`. */
export const userQuerySchema = Type.Partial(
  Type.Object({
    ...filter.properties,
    $or: Type.Array(filter, { minItems: 1 }),
    $and: Type.Array(filter, { minItems: 1 }),
    $limit: count,
    $skip: count,
    $sort: Type.Partial(Type.Record(Type.KeyOf(queryable), direction), { additionalProperties: false }),
    $select: Type.Array(StringEnum(queryableNames), { maxItems: queryableNames.length })
  }),
  { $id: 'UserQuery', additionalProperties: false }
)
export type UserQuery = Static<typeof userQuerySchema>
export const userQueryValidator = getQueryValidator(userQuerySchema)
export const userQueryResolver = resolve<UserQuery, HookContext>({
  // Users other than admins only see themselves
  _id: async (value, _query, { params }) => (params.user && !isAdmin(params.user) ? params.user._id : value),
  email: async (value) => (typeof value === 'string' ? value.toLowerCase() : value)
})
