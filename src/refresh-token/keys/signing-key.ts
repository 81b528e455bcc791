import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  randomBytes,
  type KeyObject
} from 'node:crypto'
import { ConfigurationError } from '../errors.js'

/** The algorithms that can sign access tokens (RFC 7518 §3.1). jsonwebtoken 9 does not support EdDSA. */
export const algorithms = [
  'HS256',
  'HS384',
  'HS512',
  'ES256',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512'
] as const

export type Algorithm = (typeof algorithms)[number]

/** A key, and its id in the header of the tokens that it signs (RFC 7515 §4.1.4). */
export interface SigningKey {
  kid: string
  /** Missing from a public key, which only verifies. */
  signKey?: KeyObject
  verifyKey: KeyObject
  /** Until this time it only verifies, ms since 1970; without one it signs as soon as it is the newest. */
  signsFrom?: number
}

const minModulusLength = 2048 // bits: RFC 7518 §3.3

export const isHmac = (algorithm: Algorithm): boolean => algorithm.startsWith('HS')

const isPem = (text: string): boolean => text.includes('-----BEGIN ')

/**
 * Splits a setting into its keys, newest first. They are separated by commas, with optional white space. PEM keys need
 * no commas, and may contain `\n` instead of line breaks, as in an environment file.
 */
export function splitKeys(setting: string): string[] {
  return setting
    .split(',')
    .flatMap((text) =>
      isPem(text) ? text.split(/(?<=-----END [A-Z0-9 ]+-----)/).filter(isMaterial) : [text]
    )
    .map((text) => (isPem(text) ? text.replaceAll('\\n', '\n') : text).trim())
}

// `openssl ecparam -genkey` writes the name of the curve before the key
const isMaterial = (text: string): boolean =>
  text.replaceAll('\\n', '').trim() !== '' && !text.includes('-----BEGIN EC PARAMETERS-----')

/**
 * Parses a key: for HMAC, the UTF-8 bytes of a secret; otherwise a PEM key.
 *
 * @param name The setting that holds it, for error messages
 * @throws ConfigurationError when it does not fit the algorithm. The message does not contain the key.
 */
export function toSigningKey(text: string, algorithm: Algorithm, name: string): SigningKey {
  if (isHmac(algorithm)) {
    // Otherwise anybody with the public key could sign with it (RFC 8725 §2.1)
    if (isPem(text)) {
      throw new ConfigurationError(
        `${name} holds a PEM key, but the algorithm ${algorithm} needs a secret: ` +
          'write at least 32 random bytes; PEM keys are for access tokens with the algorithm ES256, RS256 or PS256'
      )
    }

    return hmacKey(text)
  }

  if (!isPem(text)) {
    throw new ConfigurationError(
      `${name} does not hold a PEM key, which the algorithm ${algorithm} needs: ${advice(algorithm)}`
    )
  }

  return pemKey(text, algorithm, name)
}

function hmacKey(secret: string): SigningKey {
  // Given a string, jsonwebtoken would try to parse it as a PEM key at each call
  const key = createSecretKey(Buffer.from(secret, 'utf8'))
  // Derived from the key, so that all instances agree on it
  const kid = createHmac('sha256', key).update('kid').digest('base64url').slice(0, 16)

  return { kid, signKey: key, verifyKey: key }
}

function pemKey(pem: string, algorithm: Algorithm, name: string): SigningKey {
  const signKey = pem.includes('PRIVATE KEY-----')
    ? readPem(createPrivateKey, pem, algorithm, name)
    : undefined
  const verifyKey = signKey ? createPublicKey(signKey) : readPem(createPublicKey, pem, algorithm, name)

  requireFit(verifyKey, algorithm, name)

  return { kid: thumbprint(verifyKey), ...(signKey && { signKey }), verifyKey }
}

function readPem(
  read: (pem: string) => KeyObject,
  pem: string,
  algorithm: Algorithm,
  name: string
): KeyObject {
  try {
    return read(pem)
  } catch {
    // The message of OpenSSL may quote the key
    throw new ConfigurationError(
      `${name} holds a PEM key that can not be read, or has a passphrase: ${advice(algorithm)}`
    )
  }
}

function requireFit(
  { asymmetricKeyType, asymmetricKeyDetails }: KeyObject,
  algorithm: Algorithm,
  name: string
) {
  const { namedCurve, modulusLength = 0 } = asymmetricKeyDetails!
  const kind = namedCurve ? `${asymmetricKeyType} (${namedCurve})` : asymmetricKeyType
  const fits = algorithm === 'ES256' ? namedCurve === 'prime256v1' : asymmetricKeyType === 'rsa'

  if (!fits) {
    throw new ConfigurationError(
      `${name} holds a key of type ${kind}, which does not fit the algorithm ${algorithm}: ${advice(algorithm)}`
    )
  }
  if (asymmetricKeyType === 'rsa' && modulusLength < minModulusLength) {
    throw new ConfigurationError(
      `${name} holds an RSA key of ${modulusLength} bits, less than ${minModulusLength}: ${advice(algorithm)}`
    )
  }
}

function advice(algorithm: Algorithm): string {
  const options =
    algorithm === 'ES256' ? 'EC -pkeyopt ec_paramgen_curve:P-256' : 'RSA -pkeyopt rsa_keygen_bits:2048'

  return `write a PEM key such as \`openssl genpkey -algorithm ${options}\` prints`
}

// RFC 7638 §3: the required members alone, in this order
function thumbprint(key: KeyObject): string {
  const { crv, e, kty, n, x, y } = key.export({ format: 'jwk' })
  const members = kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y }

  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}

/** A public key as JSON (RFC 7517 §4), with the members of its type. */
export interface Jwk {
  [member: string]: unknown
  kty?: string
  kid: string
  use: 'sig'
  alg: Algorithm
}

/** The public half of a key as a JWK; undefined for an HMAC key. */
export function toPublicJwk({ kid, verifyKey }: SigningKey, algorithm: Algorithm): Jwk | undefined {
  return verifyKey.type === 'public'
    ? { ...verifyKey.export({ format: 'jwk' }), kid, use: 'sig', alg: algorithm }
    : undefined
}

/** Generates a key, in the format of the settings. */
export function generateKey(algorithm: Algorithm): string {
  if (isHmac(algorithm)) {
    return randomBytes(64).toString('base64url') // the size of the hash of HS512 (RFC 7518 §3.2)
  }

  const { privateKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: minModulusLength })

  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().trim()
}
