import { StringEnum, Type, type Static } from '@feathersjs/typebox'
import type { Algorithm } from 'jsonwebtoken'
import { checkConfiguration, durationSetting } from './configuration-check.js'
import { readCookieSettings, type CookieSettings } from './cookie.js'
import { toMilliseconds } from './duration.js'
import { ConfigurationError } from './errors.js'
import { createKeyring, splitSecrets } from './keyring.js'
import type { TokenFormat } from './token.js'

const leastSecret = 32 // bytes: RFC 7518 §3.2 asks of an HS256 key the size of its hash

const secretSetting = Type.String({
  minLength: 1,
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
      algorithm: StringEnum(['HS256', 'HS384', 'HS512']),
      expiresIn: durationSetting(1000, '15m')
    },
    { additionalProperties: false }
  ),
  { description: 'write an object with issuer, audience, algorithm and expiresIn' }
)

jwtOptionsSchema.properties.algorithm.description = 'write "HS256", "HS384" or "HS512"'

/** `authentication.refresh-token` */
const refreshTokenSchema = Type.Object(
  {
    secret: secretSetting,
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
    cookie: Type.Optional(Type.Unknown()) // readCookieSettings checks it
  },
  { additionalProperties: false, description: 'write an object with at least a secret' }
)

/** What answers carry already: the refresh token can't take their place. */
const takenFields = [
  'accessToken',
  'authentication',
  'session',
  'strategy',
  'device',
  'idempotencyKey',
  'cookie'
]

/** The settings, checked, with their defaults; durations in ms. */
export interface Settings {
  /** How long an access token lives, ms. */
  accessLife: number
  /** How long a session lives without a refresh, ms. */
  idleLife: number
  /** How long a session lives at all, ms. */
  absoluteLife: number
  /** How long a used refresh token may be repeated, ms. */
  leeway: number
  rotation: boolean
  reuse: 'device' | 'user' | 'never'
  maxSessions: number
  /** Names of the strategies whose logins get a refresh token. */
  strategies: string[]
  /** The refresh token's name in requests and answers. */
  field: string
  /** The cookie that carries it for those who ask; undefined: none does. */
  cookie?: CookieSettings
  accessTokens: TokenFormat
  refreshTokens: TokenFormat
}

const knownSettings = [
  'entity',
  'entityId',
  'service',
  'authStrategies',
  'parseStrategies',
  'secret',
  'jwtOptions',
  'refresh-token',
  'jwt',
  'local',
  'oauth'
]

function authenticationSchema(strategyNames: string[]) {
  const others = [...knownSettings, ...strategyNames].map((name) => [name, Type.Optional(Type.Any())])

  return Type.Object(
    {
      ...Object.fromEntries(others),
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
      secret: secretSetting,
      jwtOptions: Type.Optional(jwtOptionsSchema),
      'refresh-token': refreshTokenSchema
    },
    { additionalProperties: false, description: 'write an object' }
  )
}

type Configuration = Static<ReturnType<typeof authenticationSchema>>

/**
 * Reads the settings from the configuration of the authentication service.
 *
 * @param configKey The key of that configuration, for the sentences
 * @param production Whether secrets have to be good enough for the internet
 * @throws ConfigurationError
 */
export function readSettings(configuration: unknown, configKey: string, production: boolean): Settings {
  checkConfiguration(authenticationSchema(strategyNames(configuration)), configuration, configKey)

  const checked = configuration as Configuration
  const { secret, jwtOptions = {}, 'refresh-token': refreshToken } = checked
  const { rotation = true, reuse = 'device', strategies = ['local'], field = 'refreshToken' } = refreshToken
  const { issuer = 'moult', audience = 'moult', algorithm = 'HS256' } = jwtOptions
  const key = `${configKey}.refresh-token`
  const cookie = readCookieSettings(refreshToken.cookie, `${key}.cookie`, production)

  checkSecrets(secret, refreshToken.secret, configKey, production)
  checkNames(checked, strategies, key)

  if (reuse === 'user' && rotation) {
    throw new ConfigurationError(
      `${key}.reuse is "user" while rotation is on, so the logins of a user would spend each other's token: ` +
        'write "device", or set rotation to false'
    )
  }
  if (takenFields.includes(field) || field === checked.entity) {
    throw new ConfigurationError(
      `${key}.field is "${field}", a name that answers use already: write another, such as "refreshToken"`
    )
  }

  return {
    accessLife: toMilliseconds(jwtOptions.expiresIn ?? '15m')!,
    idleLife: toMilliseconds(refreshToken.expiresIn ?? '30d')!,
    absoluteLife: toMilliseconds(refreshToken.maxLifetime ?? '180d')!,
    leeway: toMilliseconds(refreshToken.leeway ?? '30s')!,
    rotation,
    reuse,
    maxSessions: refreshToken.maxSessions ?? 20,
    strategies,
    field,
    ...(cookie && { cookie }),
    accessTokens: {
      typ: 'at+jwt',
      algorithm: algorithm as Algorithm,
      keyring: createKeyring(secret),
      issuer,
      audience
    },
    refreshTokens: {
      typ: 'refresh',
      algorithm: 'HS256',
      keyring: createKeyring(refreshToken.secret),
      issuer,
      audience
    }
  }
}

/** Each strategy may have a block of its name, also one that only opens services. */
function strategyNames(configuration: unknown): string[] {
  const { authStrategies, parseStrategies } = (configuration ?? {}) as Record<string, unknown>

  return [authStrategies, parseStrategies].flatMap((names) => (Array.isArray(names) ? names.map(String) : []))
}

function checkNames({ authStrategies }: Configuration, strategies: string[], key: string): void {
  for (const name of strategies) {
    if (!authStrategies.includes(name)) {
      throw new ConfigurationError(
        `${key}.strategies names "${name}", which is not in authStrategies: ` +
          `write names out of ${JSON.stringify(authStrategies)}`
      )
    }
    if (name === 'jwt' || name === 'refresh-token') {
      throw new ConfigurationError(
        `${key}.strategies names "${name}", which renews a login and is none: write only strategies that sign in`
      )
    }
  }
}

function checkSecrets(
  accessSecret: string,
  refreshSecret: string,
  configKey: string,
  production: boolean
): void {
  const kinds = [
    { key: `${configKey}.secret`, secrets: splitSecrets(accessSecret) },
    { key: `${configKey}.refresh-token.secret`, secrets: splitSecrets(refreshSecret) }
  ] as const
  const advice = secretSetting.description

  for (const { key, secrets } of kinds) {
    if (secrets.includes('')) {
      throw new ConfigurationError(`${key} holds an empty secret: separate several secrets by single commas`)
    }
    if (production && secrets.some((secret) => Buffer.byteLength(secret) < leastSecret)) {
      throw new ConfigurationError(`${key} is too short for production: ${advice}`)
    }
    if (production && secrets.some(isPublished)) {
      throw new ConfigurationError(`${key} is a published or guessable secret: ${advice}`)
    }
  }

  const [access, refresh] = kinds

  if (access.secrets.some((secret) => refresh.secrets.includes(secret))) {
    throw new ConfigurationError(
      `${refresh.key} shares a secret with ${access.key}: ${advice} for each of the two, and never the same`
    )
  }
}

// Of our own tests, of jwt.io and of many a tutorial
const published =
  /\bnot[- ](a |so-)?secret\b|string-secret|super[-_ ]?secret|your[-_ ](own|.*secret)|change[-_ ]?(me|this)|example|placeholder/i

/** Secrets from documents and examples, and ones that were typed rather than made. */
function isPublished(secret: string): boolean {
  return published.test(secret) || new Set(secret).size < 8
}
