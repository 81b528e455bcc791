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
import { ConfigurationError } from './errors.js'

/** What access tokens can be signed with (RFC 7518 §3.1). jsonwebtoken 9 has no EdDSA. */
export const algorithms = ['HS256', 'HS384', 'HS512', 'ES256', 'RS256', 'PS256'] as const

export type Algorithm = (typeof algorithms)[number]

/** A key and its id, which stands in the header of the tokens it signs (RFC 7515 §4.1.4). */
export interface SigningKey {
  kid: string
  /** Missing where only the public half is known: such a key verifies, and never signs. */
  signKey?: KeyObject
  verifyKey: KeyObject
  /** Before this time it only verifies, ms since 1970; without, it signs as soon as it is the newest. */
  signsFrom?: number
}

const leastModulus = 2048 // bits: RFC 7518 §3.3

export const isHmac = (algorithm: Algorithm): boolean => algorithm.startsWith('HS')

const isPem = (text: string): boolean => text.includes('-----BEGIN ')

/**
 * The keys in a setting, the newest first: separated by commas, blanks around them dropped. PEM keys may also just
 * follow one another, and have `\n` for a line's end, as in an environment file.
 */
export function splitKeys(setting: string): string[] {
  return setting
    .split(',')
    .flatMap((text) =>
      isPem(text) ? text.split(/(?<=-----END [A-Z0-9 ]+-----)/).filter(isMaterial) : [text]
    )
    .map((text) => (isPem(text) ? text.replaceAll('\\n', '\n') : text).trim())
}

// `openssl ecparam -genkey` writes the name of the curve in front of the key
const isMaterial = (text: string): boolean =>
  text.replaceAll('\\n', '').trim() !== '' && !text.includes('-----BEGIN EC PARAMETERS-----')

/**
 * One key: the UTF-8 bytes of a secret for HMAC, else a PEM.
 *
 * @param name What to call it in a sentence: the setting it stands in
 * @throws ConfigurationError when it does not fit the algorithm; the key itself is not in the message
 */
export function toSigningKey(text: string, algorithm: Algorithm, name: string): SigningKey {
  if (isHmac(algorithm)) {
    // Whoever knows the public key would sign with it (RFC 8725 §2.1)
    if (isPem(text)) {
      throw new ConfigurationError(
        `${name} holds a PEM key, but the algorithm ${algorithm} would take it for a secret: ` +
          'write at least 32 random bytes; PEM keys are for access tokens with the algorithm ES256, RS256 or PS256'
      )
    }

    return hmacKey(text)
  }

  if (!isPem(text)) {
    throw new ConfigurationError(
      `${name} holds something that is no PEM key, but the algorithm is ${algorithm}: ${advice(algorithm)}`
    )
  }

  return pemKey(text, algorithm, name)
}

function hmacKey(secret: string): SigningKey {
  // A KeyObject made once: given a string, jsonwebtoken tries to parse it as a PEM key at each call
  const key = createSecretKey(Buffer.from(secret, 'utf8'))
  // Derived from the key, so that all instances agree on it without configuration
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
    // OpenSSL's own message may quote what it could not read
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
  if (asymmetricKeyType === 'rsa' && modulusLength < leastModulus) {
    throw new ConfigurationError(
      `${name} holds an RSA key of ${modulusLength} bits, less than ${leastModulus}: ${advice(algorithm)}`
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

/** A public key as JSON (RFC 7517 §4), with the members of its kind. */
export interface Jwk {
  [member: string]: unknown
  kty?: string
  kid: string
  use: 'sig'
  alg: Algorithm
}

/** The public half of a key, as a JWK; undefined for an HMAC key, which has none. */
export function toPublicJwk({ kid, verifyKey }: SigningKey, algorithm: Algorithm): Jwk | undefined {
  return verifyKey.type === 'public'
    ? { ...verifyKey.export({ format: 'jwk' }), kid, use: 'sig', alg: algorithm }
    : undefined
}

/** A new key, as it is written into a setting. */
export function generateKey(algorithm: Algorithm): string {
  if (isHmac(algorithm)) {
    return randomBytes(64).toString('base64url') // RFC 7518 §3.2: HS512 asks for that many
  }

  const { privateKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: leastModulus })

  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().trim()
}
