import { ConfigurationError } from '../errors.js'
import { KeyFile, type KeyFileContent, type KeysByKind } from './key-file.js'
import { Keyring, signerOf, tokenKinds, type KeySource, type TokenKind } from './keyring.js'
import { isHmac, splitKeys, toSigningKey, type Algorithm, type SigningKey } from './signing-key.js'

export const minSecretLength = 32 // bytes: the size of the hash of HS256 (RFC 7518 §3.2)

const advice = `write at least ${minSecretLength} random bytes, such as \`openssl rand -base64 48\` prints`

/** The keys: in two settings, or in a file. */
export interface KeySettings {
  secret?: string | undefined
  refreshSecret?: string | undefined
  factorSecret?: string | undefined
  /** Path of a key file. */
  file?: string | undefined
  /** The algorithm of access tokens. Refresh tokens are verified by this service alone, with HS256. */
  algorithm: Algorithm
}

export interface KeyContext {
  /** The key of the configuration in the app, for error messages. */
  configKey: string
  /** Whether weak secrets are refused. Published ones are, except in a test. */
  production: boolean
  /** ms since 1970 */
  now: () => number
  /** Called with a sentence when a key file becomes invalid while the service runs. */
  warn: (sentence: string) => void
}

/** The setting that holds the keys of one kind of token. */
interface KeySetting {
  /** Where it stands, for error messages. */
  name: string
  /** Missing where there are none. */
  setting: string | undefined
  algorithm: Algorithm
}

/** The keyrings by kind; that of factors only if it has keys. */
export type Keyrings = Record<Exclude<TokenKind, 'factor'>, Keyring> & { factor?: Keyring }

/**
 * Reads the keyrings.
 *
 * @throws ConfigurationError
 */
export function readKeyrings(settings: KeySettings, context: KeyContext): Keyrings {
  const { secret, refreshSecret, factorSecret, file, algorithm } = settings
  const { configKey, production, now, warn } = context

  if (file === undefined) {
    const keys = checkKeys(
      {
        access: { name: `${configKey}.secret`, setting: secret, algorithm },
        refresh: { name: `${configKey}.refresh-token.secret`, setting: refreshSecret, algorithm: 'HS256' },
        factor: { name: `${configKey}.factors.secret`, setting: factorSecret, algorithm: 'HS256' }
      },
      production
    )

    return keyringsOf(keys, (kind) => () => keys[kind], now)
  }

  const keyFile = new KeyFile(file, (content) => keysIn(content, { file, algorithm, production }), warn)

  const keys = Object.fromEntries(tokenKinds.map((kind) => [kind, keyFile.source(kind)()]))

  return keyringsOf(keys as KeysByKind, (kind) => keyFile.source(kind), now)
}

function keyringsOf(keys: KeysByKind, source: (kind: TokenKind) => KeySource, now: () => number): Keyrings {
  return {
    access: new Keyring(source('access'), now),
    refresh: new Keyring(source('refresh'), now),
    ...(keys.factor.length > 0 && { factor: new Keyring(source('factor'), now) })
  }
}

/**
 * Parses and checks the keys in a key file.
 *
 * @throws ConfigurationError
 */
export function keysIn(
  { accessToken, refreshToken, factor, signsFrom = {} }: KeyFileContent,
  { file, algorithm, production }: { file: string; algorithm: Algorithm; production: boolean }
): KeysByKind {
  const keys = checkKeys(
    {
      access: { name: `accessToken in ${file}`, setting: accessToken, algorithm },
      refresh: { name: `refreshToken in ${file}`, setting: refreshToken, algorithm: 'HS256' },
      factor: { name: `factor in ${file}`, setting: factor, algorithm: 'HS256' }
    },
    production
  )
  const timed = (key: SigningKey): SigningKey => {
    const time = signsFrom[key.kid]

    return time === undefined ? key : { ...key, signsFrom: Date.parse(time) }
  }

  return {
    access: keys.access.map(timed),
    refresh: keys.refresh.map(timed),
    factor: keys.factor.map(timed)
  }
}

function checkKeys(settings: Record<TokenKind, KeySetting>, production: boolean): KeysByKind {
  const access = checkedKeys(settings.access, production)
  const refresh = checkedKeys(settings.refresh, production)
  const factor = checkedKeys(settings.factor, production)
  const shares = (a: SigningKey[], b: SigningKey[]) =>
    a.some(({ kid }) => b.some((other) => other.kid === kid))

  for (const [one, other] of [
    [settings.refresh, shares(refresh, access) && settings.access],
    [settings.factor, shares(factor, access) && settings.access],
    [settings.factor, shares(factor, refresh) && settings.refresh]
  ] as const) {
    if (other) {
      throw new ConfigurationError(
        `${one.name} shares a secret with ${other.name}: ${advice} for each of them`
      )
    }
  }

  return { access, refresh, factor }
}

function checkedKeys({ name, setting, algorithm }: KeySetting, production: boolean): SigningKey[] {
  if (setting === undefined) {
    return []
  }

  const texts = splitKeys(setting)

  if (texts.includes('')) {
    throw new ConfigurationError(`${name} holds an empty secret: separate several secrets by single commas`)
  }

  const keys = withoutDuplicates(texts.map((text) => toSigningKey(text, algorithm, name)))

  if (!signerOf(keys, 0)) {
    throw new ConfigurationError(
      `${name} holds public keys only, which can not sign: write a private key first`
    )
  }
  if (isHmac(algorithm)) {
    texts.forEach((text) => requireStrong(text, name, production))
  }

  return keys
}

/** Of a private key and its public half, which have the same id, the private one stays. */
function withoutDuplicates(keys: SigningKey[]): SigningKey[] {
  const byId = new Map<string, SigningKey>()

  for (const key of keys) {
    byId.set(key.kid, { ...key, ...byId.get(key.kid) })
  }

  return [...byId.values()]
}

function requireStrong(secret: string, name: string, production: boolean): void {
  if (production && Buffer.byteLength(secret) < minSecretLength) {
    throw new ConfigurationError(`${name} is too short for production: ${advice}`)
  }
  if ((refusesPublished(production) && published.test(secret)) || (production && isGuessable(secret))) {
    throw new ConfigurationError(`${name} is a published or guessable secret: ${advice}`)
  }
}

// From our tests and docs, jwt.io, and many tutorials
const published =
  /\bnot[- ](a |so-)?secret\b|string-secret|super[-_ ]?secret|your[-_ ](own|.*secret)|change[-_ ]?(me|this)|random bytes|example|placeholder|^…$/i

/** A placeholder that was never replaced is a mistake in development too: it would be deployed with the rest. */
const refusesPublished = (production: boolean): boolean => production || process.env.NODE_ENV !== 'test'

/** Whether a secret was typed by hand. */
const isGuessable = (secret: string): boolean => new Set(secret).size < 8
