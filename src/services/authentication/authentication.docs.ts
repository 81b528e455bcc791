import { type AuthenticationService, RefreshTokenStrategy } from '../../refresh-token/index.js'
import { Type, type TObject, type TSchema } from '@feathersjs/typebox'
import { deviceSchema } from '../../refresh-token/internal.js'
import { sessionSchema } from '../sessions/sessions.docs.js'
import { userSchema } from '../users/users.schema.js'
import type { ServiceDocs } from '../../openapi/service-docs.js'
import { kindOfStrategy } from './attempts.js'

/** A strategy that exposes the schema of its requests. */
interface DescribedStrategy {
  requestSchema?: TObject
}

/** Describes the service as configured: its strategies, the name of the refresh token, and the cookie. */
export function authenticationDocs(service: AuthenticationService): ServiceDocs {
  const { settings, configuration } = service
  const { cookie } = settings
  const { authStrategies: names, local } = configuration

  return {
    description: 'Sign-ins, refreshes and sign-outs',
    methods: {
      create: {
        summary: 'Signed in, or refreshed',
        ...(cookie && {
          description: `With \`cookie: true\` the refresh token is set as \`${cookie.name}\`.`
        }),
        data: Type.Unsafe({ oneOf: names.map((name) => requestSchema(service, name)) }),
        ...(local && { example: signIn(local) }),
        answer: loginSchema(service),
        ...(cookie && { headers: { 'Set-Cookie': `${cookie.name}, HttpOnly, for those that asked` } }),
        errors: cookie ? [401, 403, 429] : [401, 429],
        access: 'anyone'
      }
    },
    removeWithoutId: { summary: 'Signed out: the session has ended', answer: logoutSchema(service) }
  }
}

const signIn = ({ usernameField, passwordField }: { usernameField: string; passwordField: string }) => ({
  strategy: 'local',
  [usernameField]: 'ada@example.com',
  [passwordField]: 'correct horse battery',
  device: { name: 'Laptop' }
})

function requestSchema(service: AuthenticationService, name: string): TSchema {
  const strategy = service.getStrategy(name) as DescribedStrategy
  const { cookie, field, strategies } = service.settings
  const schema = strategy.requestSchema ?? Type.Object({})
  const properties: Record<string, TSchema> = { ...schema.properties, strategy: Type.Literal(name) }

  if (properties.device) {
    properties.device = Type.Optional(
      Type.Union([deviceSchema, deviceSchema.properties.name], {
        description: 'Text is the name of the device'
      })
    )
  }
  if (kindOfStrategy(strategy as never) === 'sign-in') {
    properties.stepUp = Type.Optional(
      Type.Boolean({ description: 'For whoever is signed in: gives credentials again, for the same session' })
    )
  }
  if (cookie && strategies.includes(name)) {
    properties.cookie = Type.Optional(Type.Boolean())
  }
  if (cookie && strategy instanceof RefreshTokenStrategy) {
    properties[field] = Type.Optional(properties[field]!)
  }

  const { properties: _properties, required: _required, ...options } = schema

  return Type.Object(properties, { ...options, title: name })
}

const numericDate = Type.Integer({ description: 's since 1970' })
const payload = Type.Object({
  sub: Type.String(),
  sid: Type.String(),
  iat: numericDate,
  exp: numericDate,
  auth_time: numericDate,
  amr: Type.Optional(Type.Array(Type.String(), { description: 'How the user signed in (RFC 8176)' })),
  jti: Type.String(),
  iss: Type.String(),
  aud: Type.String()
})

/** Without session and refresh token in answers of `jwt`, which opens no session. */
function loginSchema({ settings, configuration }: AuthenticationService) {
  return Type.Object({
    accessToken: Type.String(),
    [settings.field]: Type.Optional(Type.String()),
    authentication: Type.Object({
      strategy: Type.String(),
      payload,
      newPasswordNeeded: Type.Optional(
        Type.Boolean({
          description: 'Whether to ask for a new password: the stored hash tells only its beginning'
        })
      )
    }),
    [configuration.entity!]: userSchema,
    session: Type.Optional(sessionSchema)
  })
}

function logoutSchema({ configuration }: AuthenticationService) {
  return Type.Object({
    accessToken: Type.String(),
    authentication: Type.Object({ strategy: Type.String(), payload }),
    [configuration.entity!]: userSchema
  })
}
