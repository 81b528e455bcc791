import { StringEnum, Type, type Static } from '@feathersjs/typebox'
import { checkConfiguration, durationSetting } from './configuration-check.js'
import { readCookieSettings, type CookieSettings } from './cookie.js'
import { toMilliseconds } from './duration.js'
import { ConfigurationError } from './errors.js'
import { leastSecret, readKeyrings, type KeyContext } from './key-settings.js'
import { algorithms, type Algorithm } from './signing-key.js'
import { toStockTokens, type StockTokens } from './stock-token.js'
import type { TokenFormat } from './token.js'

const secretSetting = Type.String({
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
  /** The users in memory. */
  cache: {
    /** How much it may hold. */
    bytes: number
    /** How long after the change stream was last heard from it still answers, ms. */
    maxStale: number
  }
  accessTokens: TokenFormat
  refreshTokens: TokenFormat
  /** Whether refresh tokens of before, that were moved here, are exchanged for sessions. */
  previousTokens: boolean
  /** How access tokens that Feathers signed before are checked; undefined: they are refused. */
  stockTokens?: StockTokens
  /** Path of the file the keys come from, if they do. */
  keyFile?: string
}

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
      secret: Type.Optional(secretSetting),
      keys: Type.Optional(
        Type.String({ minLength: 1, description: 'write the path of a key file, or remove it' })
      ),
      jwtOptions: Type.Optional(jwtOptionsSchema),
      'refresh-token': refreshTokenSchema,
      oauth: Type.Optional(oauthSchema)
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
export function readSettings(
  configuration: unknown,
  configKey: string,
  production: boolean,
  {
    now = Date.now,
    warn = (sentence) => process.emitWarning(sentence)
  }: Partial<Pick<KeyContext, 'now' | 'warn'>> = {}
): Settings {
  checkConfiguration(authenticationSchema(strategyNames(configuration)), configuration, configKey)

  const checked = configuration as Configuration
  const { jwtOptions = {}, 'refresh-token': refreshToken, keys: keyFile } = checked
  const { rotation = true, reuse = 'device', strategies = ['local'], field = 'refreshToken' } = refreshToken
  const { issuer = 'moult', audience = 'moult', algorithm = 'HS256' } = jwtOptions
  const key = `${configKey}.refresh-token`
  const cookie = readCookieSettings(refreshToken.cookie, `${key}.cookie`, production)

  requireOneSource(checked, configKey)

  const keyrings = readKeyrings(
    {
      secret: checked.secret,
      refreshSecret: refreshToken.secret,
      file: keyFile,
      algorithm: algorithm as Algorithm
    },
    { configKey, production, now, warn }
  )

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
    cache: {
      bytes: refreshToken.cache?.bytes ?? 64 * 1024 * 1024,
      maxStale: toMilliseconds(refreshToken.cache?.maxStale ?? '2s')!
    },
    accessTokens: {
      typ: 'at+jwt',
      algorithm: algorithm as Algorithm,
      keyring: keyrings.access,
      issuer,
      audience
    },
    refreshTokens: {
      typ: 'refresh',
      algorithm: 'HS256',
      keyring: keyrings.refresh,
      issuer,
      audience
    },
    previousTokens: refreshToken.previousTokens ?? false,
    ...(refreshToken.stockTokens && {
      stockTokens: toStockTokens({ audience, ...refreshToken.stockTokens })
    }),
    ...(keyFile !== undefined && { keyFile })
  }
}

/** Each strategy may have a block of its name, also one that only opens services. */
function strategyNames(configuration: unknown): string[] {
  const { authStrategies, parseStrategies } = (configuration ?? {}) as Record<string, unknown>

  return [authStrategies, parseStrategies].flatMap((names) => (Array.isArray(names) ? names.map(String) : []))
}

function checkNames({ authStrategies, oauth }: Configuration, strategies: string[], key: string): void {
  const known = [...authStrategies, ...oauthProviders(oauth)]

  for (const name of strategies) {
    if (!known.includes(name)) {
      throw new ConfigurationError(
        `${key}.strategies names "${name}", which is not in authStrategies: ` +
          `write names out of ${JSON.stringify(known)}`
      )
    }
    if (name === 'jwt' || name === 'refresh-token') {
      throw new ConfigurationError(
        `${key}.strategies names "${name}", which renews a login and is none: write only strategies that sign in`
      )
    }
  }
}

/** Names of the providers in the setting `oauth`: each is a strategy, which only the callback of its provider reaches. */
export function oauthProviders(setting: object = {}): string[] {
  return Object.keys(setting).filter((name) => !['redirect', 'origins', 'defaults'].includes(name))
}

/** The keys come from the two settings, or both from the file. */
function requireOneSource({ secret, keys, 'refresh-token': refreshToken }: Configuration, configKey: string) {
  const settings = [
    { key: `${configKey}.secret`, value: secret },
    { key: `${configKey}.refresh-token.secret`, value: refreshToken.secret }
  ]

  for (const { key, value } of settings) {
    // Feathers' check of the configuration insists on a `secret`: beside a key file it may be ""
    if (keys === undefined && !value) {
      throw new ConfigurationError(`${key} is missing: ${secretSetting.description}`)
    }
    if (keys !== undefined && value) {
      throw new ConfigurationError(
        `${key} is set beside ${configKey}.keys, which names a key file: remove one`
      )
    }
  }
}
