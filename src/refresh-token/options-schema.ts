import { StringEnum, Type, type Static, type TObject } from '@feathersjs/typebox'
import { durationSetting } from './configuration-check.js'
import { leastSecret } from './key-settings.js'
import { algorithms } from './signing-key.js'

/** @internal */
export const secretSetting = Type.String({
  description: `write at least ${leastSecret} random bytes, such as \`openssl rand -base64 48\` prints`
})

const text = (description: string) => Type.String({ minLength: 1, description })
const nameList = (description: string) => Type.Array(Type.String({ description }), { description })

/** `authentication.jwtOptions`: how access tokens are signed. */
const jwtOptionsSchema = Type.Partial(
  Type.Object(
    {
      issuer: text('write the name of this service, one string'),
      audience: text('write the name of the API, one string'),
      algorithm: StringEnum([...algorithms]),
      expiresIn: durationSetting(1000, '15m'),
      // What the generator of Feathers writes. Without effect: the header is that of RFC 9068
      header: Type.Unsafe<unknown>({
        const: { typ: 'access' },
        description: 'remove it: the header of access tokens is that of RFC 9068'
      })
    },
    { additionalProperties: false }
  ),
  { description: 'write an object with issuer, audience, algorithm and expiresIn' }
)

jwtOptionsSchema.properties.algorithm.description =
  'write "HS256", "HS384", "HS512", "ES256", "RS256" or "PS256"'

/** `authentication.refresh-token` */
const refreshTokenSchema = Type.Object(
  {
    secret: Type.Optional(secretSetting),
    expiresIn: Type.Optional(durationSetting(1000, '30d')),
    maxLifetime: Type.Optional(durationSetting(1000, '180d')),
    rotation: Type.Optional(Type.Boolean({ description: 'write true or false' })),
    leeway: Type.Optional(durationSetting(0, '30s')),
    reuse: Type.Optional(
      Type.Unsafe<'device' | 'user' | 'never'>({
        enum: ['device', 'user', 'never'],
        description: 'write "device", "user" or "never"'
      })
    ),
    maxSessions: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'write a whole number from 1 to 1000' })
    ),
    strategies: Type.Optional(
      nameList('write a list of the strategies whose logins get a refresh token, such as ["local"]')
    ),
    field: Type.Optional(
      Type.String({
        pattern: '^[A-Za-z][A-Za-z0-9_-]{0,63}$',
        description: 'write a field name of letters, digits, "_" and "-", such as "refreshToken"'
      })
    ),
    cookie: Type.Optional(Type.Unknown()), // readCookieSettings checks it
    previousTokens: Type.Optional(Type.Boolean({ description: 'write true or false' })),
    stockTokens: Type.Optional(
      Type.Object(
        {
          secret: Type.String({
            minLength: 1,
            description: 'write the secret that Feathers signed access tokens with before'
          }),
          issuer: Type.Optional(text('write the issuer of those tokens, or remove it')),
          audience: Type.Optional(text('write the audience of those tokens, or remove it'))
        },
        {
          additionalProperties: false,
          description: 'write an object with the secret of those tokens, or remove it'
        }
      )
    ),
    cache: Type.Optional(
      Type.Partial(
        Type.Object(
          {
            bytes: Type.Integer({ minimum: 0, description: 'write a number of bytes, such as 67108864' }),
            maxStale: durationSetting(100, '2s')
          },
          { additionalProperties: false }
        ),
        { description: 'write an object with bytes and maxStale' }
      )
    )
  },
  { additionalProperties: false, description: 'write an object with at least a secret' }
)

/** `authentication.oauth`: the providers, each by its name, with the settings of Grant, besides where sign-ins return to. */
const oauthSchema = Type.Object(
  {
    redirect: Type.Optional(text('write the address of a page, such as "https://app.example.com/signed-in"')),
    origins: Type.Optional(nameList('write a list of origins, such as ["https://app.example.com"]')),
    defaults: Type.Optional(
      Type.Object(
        {
          origin: Type.Optional(text('write the origin of this service, such as "https://api.example.com"'))
        },
        { description: 'write an object' }
      )
    )
  },
  {
    additionalProperties: Type.Object(
      {},
      { description: 'write an object with key and secret, as the provider gave them' }
    ),
    description: 'write an object of providers by their names'
  }
)

const knownSettings = [
  'entity',
  'entityId',
  'service',
  'authStrategies',
  'parseStrategies',
  'secret',
  'keys',
  'jwtOptions',
  'refresh-token',
  'jwt',
  'local',
  'oauth'
]

const authentication = {
  entity: text('write the name of the entity, such as "user"'),
  service: text('write the path of the entity service, such as "users"'),
  entityId: Type.Optional(text('write the name of the field that holds the id, such as "_id"')),
  jwt: Type.Optional(
    Type.Partial(
      Type.Object(
        {
          header: text('write the name of a header, such as "Authorization"'),
          schemes: nameList('write a list of schemes, such as ["Bearer"]')
        },
        { additionalProperties: false }
      ),
      { description: 'write an object with header and schemes' }
    )
  ),
  authStrategies: nameList('write a list of strategy names, such as ["jwt", "local", "refresh-token"]'),
  parseStrategies: Type.Optional(nameList('write a list of strategy names, such as ["jwt"]')),
  secret: Type.Optional(secretSetting),
  keys: Type.Optional(
    Type.String({ minLength: 1, description: 'write the path of a key file, or remove it' })
  ),
  jwtOptions: Type.Optional(jwtOptionsSchema),
  'refresh-token': refreshTokenSchema,
  oauth: Type.Optional(oauthSchema)
}

/**
 * `authentication`: what Feathers knows, what is ours, and a block for each strategy.
 *
 * @internal
 */
export function authenticationSchema(strategyNames: string[]) {
  const others = [...knownSettings, ...strategyNames].map((name) => [name, Type.Optional(Type.Any())])

  return Type.Object(
    { ...Object.fromEntries(others), ...authentication },
    { additionalProperties: false, description: 'write an object' }
  )
}

/** @internal */
export type AuthenticationConfiguration = Static<TObject<typeof authentication>>
