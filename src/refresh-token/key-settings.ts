import { ConfigurationError } from './errors.js'
import { KeyFile, type KeyFileContent, type KeysByKind } from './key-file.js'
import type { TokenKind } from './key-life.js'
import { Keyring, signerOf } from './keyring.js'
import { isHmac, splitKeys, toSigningKey, type Algorithm, type SigningKey } from './signing-key.js'

export const leastSecret = 32 // bytes: RFC 7518 §3.2 asks of an HS256 key the size of its hash

const advice = `write at least ${leastSecret} random bytes, such as \`openssl rand -base64 48\` prints`

/** Where the keys are: in two settings, or in a file. */
export interface KeySettings {
  secret?: string | undefined
  refreshSecret?: string | undefined
  /** Path of a key file. */
  file?: string | undefined
  /** Algorithm of access tokens; refresh tokens are for nobody else to read, and stay HS256. */
  algorithm: Algorithm
}

export interface KeyContext {
  /** The key of the configuration, for the sentences. */
  configKey: string
  /** Whether secrets have to be good enough for the internet. */
  production: boolean
  /** ms since 1970 */
  now: () => number
  /** Hears of a key file that turned bad while the service runs, in a sentence. */
  warn: (sentence: string) => void
}

/** How one kind's keys are called in a sentence, what the setting says, and what they sign with. */
interface KeySetting {
  name: string
  setting: string
  algorithm: Algorithm
}

/**
 * The two keyrings.
 *
 * @throws ConfigurationError
 */
export function readKeyrings(settings: KeySettings, context: KeyContext): Record<TokenKind, Keyring> {
  const { secret, refreshSecret, file, algorithm } = settings
  const { configKey, production, now, warn } = context

  if (file === undefined) {
    const keys = checkKeys(
      {
        access: { name: `${configKey}.secret`, setting: secret!, algorithm },
        refresh: { name: `${configKey}.refresh-token.secret`, setting: refreshSecret!, algorithm: 'HS256' }
      },
      production
    )

    return { access: new Keyring(() => keys.access, now), refresh: new Keyring(() => keys.refresh, now) }
  }

  const keyFile = new KeyFile(file, (content) => keysIn(content, { file, algorithm, production }), warn)

  return {
    access: new Keyring(keyFile.source('access'), now),
    refresh: new Keyring(keyFile.source('refresh'), now)
  }
}

/**
 * The keys in a key file, checked.
 *
 * @throws ConfigurationError
 */
export function keysIn(
  { accessToken, refreshToken, signsFrom = {} }: KeyFileContent,
  { file, algorithm, production }: { file: string; algorithm: Algorithm; production: boolean }
): KeysByKind {
  const { access, refresh } = checkKeys(
    {
      access: { name: `accessToken in ${file}`, setting: accessToken, algorithm },
      refresh: { name: `refreshToken in ${file}`, setting: refreshToken, algorithm: 'HS256' }
    },
    production
  )
  const timed = (key: SigningKey): SigningKey => {
    const time = signsFrom[key.kid]

    return time === undefined ? key : { ...key, signsFrom: Date.parse(time) }
  }

  return { access: access.map(timed), refresh: refresh.map(timed) }
}

function checkKeys(settings: Record<TokenKind, KeySetting>, production: boolean): KeysByKind {
  const access = checkedKeys(settings.access, production)
  const refresh = checkedKeys(settings.refresh, production)

  if (access.some(({ kid }) => refresh.some((other) => other.kid === kid))) {
    throw new ConfigurationError(
      `${settings.refresh.name} shares a secret with ${settings.access.name}: ${advice} for each of the two, and never the same`
    )
  }

  return { access, refresh }
}

function checkedKeys({ name, setting, algorithm }: KeySetting, production: boolean): SigningKey[] {
  const texts = splitKeys(setting)

  if (texts.includes('')) {
    throw new ConfigurationError(`${name} holds an empty secret: separate several secrets by single commas`)
  }

  const keys = withoutTwins(texts.map((text) => toSigningKey(text, algorithm, name)))

  if (!signerOf(keys, 0)) {
    throw new ConfigurationError(
      `${name} holds public keys only, which can not sign: write a private key, the newest first`
    )
  }
  if (production && isHmac(algorithm)) {
    texts.forEach((text) => requireStrong(text, name))
  }

  return keys
}

/** A key that is given twice is one, and signs if either can. */
function withoutTwins(keys: SigningKey[]): SigningKey[] {
  const byId = new Map<string, SigningKey>()

  for (const key of keys) {
    byId.set(key.kid, { ...key, ...byId.get(key.kid) })
  }

  return [...byId.values()]
}

function requireStrong(secret: string, name: string): void {
  if (Buffer.byteLength(secret) < leastSecret) {
    throw new ConfigurationError(`${name} is too short for production: ${advice}`)
  }
  if (isPublished(secret)) {
    throw new ConfigurationError(`${name} is a published or guessable secret: ${advice}`)
  }
}

// Of our own tests and docs, of jwt.io and of many a tutorial
const published =
  /\bnot[- ](a |so-)?secret\b|string-secret|super[-_ ]?secret|your[-_ ](own|.*secret)|change[-_ ]?(me|this)|random bytes|example|placeholder/i

/** Secrets from documents and examples, and ones that were typed rather than made. */
function isPublished(secret: string): boolean {
  return published.test(secret) || new Set(secret).size < 8
}
