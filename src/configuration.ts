import { Type, type Static } from '@feathersjs/typebox'
import { createRequire } from 'node:module'
import { eventsSetting } from './services/events/settings.js'
import { limitsSetting, requireRoom } from './http/settings.js'
import { accountsSetting, mailSetting, requireMail } from './services/mails/settings.js'
import { metricsSetting, requireGuarded } from './metrics/settings.js'
import { rateLimitSetting } from './rate-limits/settings.js'
import { passwordsSchema } from './passwords/settings.js'
import { readPasskeySettings } from './passkeys/internal.js'
import { ConfigurationError } from './refresh-token/index.js'
import { checkConfiguration, ourFactorStrategies, readSettings } from './refresh-token/internal.js'

type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent'

const text = (description: string) => Type.String({ minLength: 1, description })
const fieldName = text('write the name of a field, such as "email"')

const schema = Type.Object(
  {
    host: text('write the name or address to listen on, such as "localhost"'),
    port: Type.Integer({ minimum: 0, maximum: 65535, description: 'write a port, such as 3030' }),
    origins: Type.Array(
      Type.String({
        // As browsers send it: lower case, no path, and never "*"
        pattern: '^[a-z][a-z0-9+.-]*://[^\\s/*?#A-Z]+$',
        description: 'write an origin, such as "https://app.example.com"'
      }),
      { description: 'write a list of origins, such as ["https://app.example.com"]' }
    ),
    paginate: Type.Object(
      {
        default: Type.Integer({
          minimum: 1,
          maximum: 1000,
          description: 'write a whole number from 1 to 1000'
        }),
        max: Type.Integer({ minimum: 1, maximum: 1000, description: 'write a whole number from 1 to 1000' })
      },
      { additionalProperties: false, description: 'write an object with default and max' }
    ),
    data: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      minLength: 1,
      description: 'write the folder for the embedded MongoDB and the secrets of development'
    }),
    mongodb: Type.Optional(
      Type.String({
        pattern: '^mongodb(\\+srv)?://.',
        description: 'write a connection string, such as mongodb://127.0.0.1:27017/moult'
      })
    ),
    passwords: passwordsSchema,
    rateLimit: rateLimitSetting,
    logLevel: Type.Optional(
      Type.Unsafe<Level>({
        enum: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
        description: 'write "debug", which has a line for each request, "info", "warn", "error" or "silent"'
      })
    ),
    proxies: Type.Integer({
      minimum: 0,
      maximum: 10,
      description: 'write how many proxies are in front of the service, such as 1, or 0'
    }),
    limits: limitsSetting,
    metrics: metricsSetting,
    events: eventsSetting,
    mail: mailSetting,
    accounts: accountsSetting,
    workers: Type.Unsafe<number | 'auto'>({
      type: ['integer', 'string'],
      minimum: 1,
      maximum: 1024,
      pattern: '^auto$',
      description: 'write how many processes serve, such as 4, or "auto" for one for each core'
    }),
    authentication: Type.Object(
      {
        local: Type.Optional(
          Type.Object(
            { usernameField: fieldName, passwordField: fieldName },
            {
              additionalProperties: false,
              description: 'write an object with usernameField and passwordField'
            }
          )
        )
      },
      { description: 'write an object' }
    )
  },
  { additionalProperties: false, description: 'write an object' }
)

/** The settings of the app, as in config/. */
export type Configuration = Static<typeof schema>

type Unchecked = Record<string, unknown>

/**
 * Reads config/ and the environment. The result is not validated, and a copy: development secrets are added to it.
 *
 * @throws ConfigurationError
 */
export function readConfiguration(): Unchecked {
  requireJson(process.env.NODE_CONFIG)

  const settings: Unchecked = structuredClone(configurationFiles())

  const { port, workers, metrics } = settings

  return {
    ...settings,
    port: toNumber(port),
    workers: toNumber(workers),
    ...(isObject(metrics) && { metrics: { ...metrics, port: toNumber(metrics.port) } })
  }
}

/** node-config reads the files when it is loaded. */
function configurationFiles(): Unchecked {
  try {
    const configuration = createRequire(import.meta.url)('@feathersjs/configuration') as ReadConfiguration
    const { util, ...settings } = configuration()()

    util.getConfigSources().forEach(requireObject)
    return settings
  } catch (error) {
    const [, file, mistake] = unreadable.exec((error as Error).message) ?? []

    throw file === undefined
      ? error
      : new ConfigurationError(`${file} can not be read (${mistake}): write JSON, as in config/default.json`)
  }
}

// The sentences of node-config for what it can't parse, and for what it can't read
const unreadable =
  /^(?:Cannot parse c|C)onfig file:? '?(.*?)'?(?::| cannot be read\. .*Error message is:) (?:\w+: )?(.*)$/s

interface Source {
  name: string
  parsed: unknown
}

type ReadConfiguration = () => () => Unchecked & { util: { getConfigSources(): Source[] } }

/** node-config ignores a list, and null. */
function requireObject({ name, parsed }: Source): void {
  if (!isObject(parsed)) {
    throw new ConfigurationError(`${name} does not hold an object: write one, as in config/default.json`)
  }
}

/** Numbers from the environment are strings. */
const toNumber = (value: unknown): unknown =>
  typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value

/** node-config ignores a NODE_CONFIG that it can't parse, or that is no object. */
function requireJson(variable = '{}'): void {
  if (!isObject(parsed(variable))) {
    throw new ConfigurationError('NODE_CONFIG is not a JSON object: write one, such as {"port": 3030}')
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/**
 * Validates all settings.
 *
 * @throws ConfigurationError with the first mistake, in one sentence
 */
export function checkedConfiguration(settings: Unchecked): Configuration {
  checkConfiguration(schema, settings, '')

  const { authentication, metrics, limits } = settings as { authentication: Unchecked } & Pick<
    Configuration,
    'metrics' | 'limits'
  >
  const refreshToken = authentication['refresh-token']

  if (authentication.keys === undefined && isObject(refreshToken)) {
    requireSecret(authentication, 'authentication', 'ACCESS_TOKEN_SECRET')
    requireSecret(refreshToken, 'authentication.refresh-token', 'REFRESH_TOKEN_SECRET')

    if (needsFactorKey(authentication) && isObject(authentication.factors ?? {})) {
      requireSecret((authentication.factors ?? {}) as Unchecked, 'authentication.factors', 'FACTOR_SECRET')
    }
  }

  requireGuarded(metrics)
  requireRoom(limits)
  requireDatabase(settings)
  requireMail(settings as unknown as Parameters<typeof requireMail>[0])
  readSettings(authentication, 'authentication', process.env.NODE_ENV === 'production')
  requirePasskeys(authentication)

  return settings as Configuration
}

/** What passkeys need, if they are among the strategies. */
function requirePasskeys({ authStrategies, passkey }: Unchecked): void {
  if ((authStrategies as string[]).includes('passkey')) {
    readPasskeySettings(passkey, 'authentication.passkey')
  }
}

/** Whether a strategy of ours needs the key of factors. */
export const needsFactorKey = ({ authStrategies }: Unchecked): boolean =>
  Array.isArray(authStrategies) && authStrategies.some((name) => ourFactorStrategies.includes(name as string))

/** In production, an embedded MongoDB has to be asked for: one machine, and one disk, keep the data. */
function requireDatabase({ mongodb, data }: Unchecked): void {
  if (mongodb === undefined && data === null) {
    throw new ConfigurationError(
      'mongodb is missing: set MONGODB_URL to a replica set, or name a folder in data for an embedded MongoDB'
    )
  }
}

function requireSecret({ secret }: Unchecked, key: string, variable: string): void {
  if (secret === undefined) {
    throw new ConfigurationError(
      `${key}.secret is missing: set ${variable} to at least 32 random bytes, such as \`openssl rand -base64 48\` prints`
    )
  }
}

/** Whether a setting is an object. */
export const isObject = (value: unknown): value is Unchecked =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
