import type { AuthenticationService } from '../refresh-token/index.js'
import { Type, type TObject, type TSchema } from '@feathersjs/typebox'
import { RefreshTokenStrategy } from '../refresh-token/index.js'
import { sessionSchema } from '../services/sessions/sessions.docs.js'
import { userSchema } from '../services/users/users.schema.js'
import type { ServiceDocs } from './service-docs.js'

/** A strategy that shows the schema it checks requests with. */
interface DescribedStrategy {
  requestSchema?: TObject
}

/** As it is configured: which strategies there are, how the refresh token is called, whether it may be in a cookie. */
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
  jti: Type.String(),
  iss: Type.String(),
  aud: Type.String()
})

/** The session and its refresh token are missing from the answers of `jwt`, which opens none. */
function loginSchema({ settings, configuration }: AuthenticationService) {
  return Type.Object({
    accessToken: Type.String(),
    [settings.field]: Type.Optional(Type.String()),
    authentication: Type.Object({ strategy: Type.String(), payload }),
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
