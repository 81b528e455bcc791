import { checkConfiguration } from './configuration-check.js'
import { readCookieSettings, type CookieSettings } from './cookie.js'
import { toMilliseconds } from './duration.js'
import { ConfigurationError } from './errors.js'
import { readKeyrings, type KeyContext } from './key-settings.js'
import {
  authenticationSchema,
  secretSetting,
  type AuthenticationConfiguration as Configuration
} from './options-schema.js'
import { toStockTokens, type StockTokens } from './stock-token.js'
import type { TokenFormat } from './token.js'

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
      algorithm
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
      algorithm,
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
