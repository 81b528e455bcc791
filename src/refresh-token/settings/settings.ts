import { checkConfiguration } from './check.js'
import { readCookieSettings, type CookieSettings } from './cookie-settings.js'
import { toMilliseconds } from './duration.js'
import { ConfigurationError } from '../errors.js'
import type { Keyring } from '../keys/keyring.js'
import { readKeyrings, type KeyContext } from '../keys/read-keyrings.js'
import {
  authenticationSchema,
  meantBy,
  secretSetting,
  type AuthenticationConfiguration as Configuration
} from './schema.js'
import { toStockTokens, type StockTokens } from '../tokens/stock-token.js'
import type { TokenFormat } from '../tokens/jwt.js'

/** Fields of requests and answers, which the refresh token cannot be named after. */
const reservedFields = [
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
  /** How long a session lives at most, ms. */
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
  /** The cookie that carries it for clients that ask for it; undefined when cookies are off. */
  cookie?: CookieSettings
  /** The users in memory. */
  cache: {
    /** The most that it may hold. */
    bytes: number
    /** How long it answers after the last answer of the change stream, ms. */
    maxStale: number
  }
  /** The field of the user documents that holds the sessions. */
  sessionsField: string
  /** Whether the answers of the entity service depend on the document only, and are cached with it. */
  entityCache: boolean
  accessTokens: TokenFormat
  refreshTokens: TokenFormat
  /** Further factors; undefined where they have no key, and nobody can give one. */
  factors?: {
    /** How challenges are signed; its keyring encrypts what is stored, too. */
    challenges: TokenFormat
    /** What becomes of a user's other sessions with the first factor. */
    otherSessions: 'end' | 'keep'
  }
  /** Whether imported refresh tokens of another package are exchanged for sessions. */
  previousTokens: boolean
  /** How to verify access tokens of stock Feathers; undefined when they are refused. */
  stockTokens?: StockTokens
  /** The path of the key file, if keys come from one. */
  keyFile?: string
}

/**
 * Reads the settings from the configuration of the authentication service.
 *
 * @param configKey The key of that configuration, for error messages
 * @param production Whether to insist on strong secrets
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
  const schema = authenticationSchema()

  checkConfiguration(schema, configuration, configKey)
  requireNoNearMiss(configuration as object, configKey)

  const checked = configuration as Configuration
  const { jwtOptions = {}, 'refresh-token': refreshToken, keys: keyFile } = checked
  const { rotation = true, reuse = 'device', strategies = ['local'], field = 'refreshToken' } = refreshToken
  const { issuer = 'moult', audience: audiences = 'moult', algorithm = 'HS256', notBefore } = jwtOptions
  const [audience, ...acceptedToo] = [audiences].flat() as [string, ...string[]]
  const key = `${configKey}.refresh-token`
  const cookie = readCookieSettings(refreshToken.cookie, `${key}.cookie`, production)

  requireOneSource(checked, configKey)

  const keyrings = readKeyrings(
    {
      secret: checked.secret,
      refreshSecret: refreshToken.secret,
      factorSecret: checked.factors?.secret,
      file: keyFile,
      algorithm
    },
    { configKey, production, now, warn }
  )

  checkNames(checked, strategies, key)
  requireFactorKey(checked, keyrings.factor, configKey)

  if (reuse === 'user' && rotation) {
    throw new ConfigurationError(
      `${key}.reuse is "user" while rotation is on, so the logins of a user would spend each other's token: ` +
        'write "device", or set rotation to false'
    )
  }
  if (reservedFields.includes(field) || field === checked.entity) {
    throw new ConfigurationError(
      `${key}.field is "${field}", a name that answers use already: write another, such as "refreshToken"`
    )
  }

  requireFreeField(checked, refreshToken.sessionsField, key)

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
    sessionsField: refreshToken.sessionsField ?? 'sessions',
    entityCache: refreshToken.entityCache ?? false,
    accessTokens: {
      typ: 'at+jwt',
      algorithm,
      keyring: keyrings.access,
      issuer,
      audience,
      ...(acceptedToo.length > 0 && { acceptedToo }),
      ...(notBefore !== undefined && { notBefore: toMilliseconds(notBefore)! / 1000 })
    },
    refreshTokens: {
      typ: 'refresh',
      algorithm: 'HS256',
      keyring: keyrings.refresh,
      issuer,
      audience
    },
    ...(keyrings.factor && {
      factors: {
        challenges: { typ: 'factor', algorithm: 'HS256', keyring: keyrings.factor, issuer, audience },
        otherSessions: checked.factors?.otherSessions ?? 'end'
      }
    }),
    previousTokens: refreshToken.previousTokens ?? false,
    ...(refreshToken.stockTokens && {
      stockTokens: toStockTokens({ audience, ...refreshToken.stockTokens })
    }),
    ...(keyFile !== undefined && { keyFile })
  }
}

/** @throws ConfigurationError for a field that users have for something else */
function requireFreeField(configuration: Configuration, field: string | undefined, key: string): void {
  const ofStrategies = Object.values(configuration as object)
    .filter((settings) => typeof settings === 'object' && settings !== null)
    .flatMap(({ usernameField, passwordField, entityUsernameField, entityPasswordField }) => [
      usernameField,
      passwordField,
      entityUsernameField,
      entityPasswordField
    ])
  const taken = ['disabled', 'password', configuration.entityId, ...ofStrategies].map(
    (path: unknown) => String(path).split('.')[0]
  )

  if (field !== undefined && taken.includes(field)) {
    throw new ConfigurationError(
      `${key}.sessionsField is "${field}", a field that users have for something else: write another, such as "sessions"`
    )
  }
}

/** Refuses misspelt settings. Others may be the app's own. @throws ConfigurationError */
function requireNoNearMiss(configuration: object, configKey: string): void {
  const strategies = strategyNames(configuration)

  for (const name of Object.keys(configuration).filter((name) => !strategies.includes(name))) {
    const meant = meantBy(name)

    if (meant !== undefined) {
      throw new ConfigurationError(
        `${configKey}.${name} is not a known setting: write ${meant}, or a name of your own that differs from it more`
      )
    }
  }
}

/** Each strategy may have settings under its name, including one in `parseStrategies` only. */
function strategyNames(configuration: object): string[] {
  const { authStrategies, parseStrategies } = configuration as Record<string, unknown>

  return [authStrategies, parseStrategies].flatMap((names) => (Array.isArray(names) ? names.map(String) : []))
}

function checkNames({ authStrategies, oauth }: Configuration, strategies: string[], key: string): void {
  const names = [...authStrategies, ...oauthProviders(oauth)]

  for (const name of strategies) {
    if (!names.includes(name)) {
      throw new ConfigurationError(
        `${key}.strategies names "${name}", which is not in authStrategies: ` +
          `write one of ${JSON.stringify(names)}`
      )
    }
    if (name === 'jwt' || name === 'refresh-token') {
      throw new ConfigurationError(
        `${key}.strategies names "${name}", which renews a login but does not sign in: write only strategies that sign in`
      )
    }
  }
}

/** The providers in the setting `oauth`. Each is a strategy that only the provider's callback can use. */
export function oauthProviders(setting: object = {}): string[] {
  return Object.keys(setting).filter((name) => !['redirect', 'origins', 'defaults'].includes(name))
}

/** @throws ConfigurationError if a strategy of ours needs the key of factors, and there is none */
function requireFactorKey(
  { authStrategies, keys }: Configuration,
  keyring: Keyring | undefined,
  configKey: string
): void {
  const name = authStrategies.find((strategy) => ourFactorStrategies.includes(strategy))

  if (name !== undefined && !keyring) {
    throw new ConfigurationError(
      keys === undefined
        ? `${configKey}.factors.secret is missing, which the strategy "${name}" needs: ${secretSetting.description}`
        : `The key file ${keys} has no key of the kind factor, which the strategy "${name}" needs: ` +
            'add one with `moult keys rotate factor`'
    )
  }
}

/** Our strategies that give a factor. */
export const ourFactorStrategies = ['totp', 'recovery-code', 'passkey']

/** All kinds of keys come from the settings, or all from the key file. */
function requireOneSource(
  { secret, keys, factors, 'refresh-token': refreshToken }: Configuration,
  configKey: string
) {
  const settings = [
    { key: `${configKey}.secret`, value: secret },
    { key: `${configKey}.refresh-token.secret`, value: refreshToken.secret }
  ]

  for (const { key, value } of settings) {
    // Feathers' own schema of the configuration requires a `secret`, so beside a key file it may be ""
    if (keys === undefined && !value) {
      throw new ConfigurationError(`${key} is missing: ${secretSetting.description}`)
    }
  }
  for (const { key, value } of [
    ...settings,
    { key: `${configKey}.factors.secret`, value: factors?.secret }
  ]) {
    if (keys !== undefined && value) {
      throw new ConfigurationError(
        `${key} is set beside ${configKey}.keys, which names a key file: remove one`
      )
    }
  }
}
