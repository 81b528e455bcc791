import type { KeyObject } from 'node:crypto'
import jsonwebtoken from 'jsonwebtoken'
import jws from 'jws'
import { Refused } from '../errors.js'
import type { Keyring } from '../keys/keyring.js'
import type { Algorithm, SigningKey } from '../keys/signing-key.js'

/** `typ` of the headers of an access token (RFC 9068 §2.1), a refresh token, and a challenge for a further factor. */
export type TokenType = 'at+jwt' | 'refresh' | 'factor'

/** How tokens of one kind are signed and verified. */
export interface TokenFormat {
  typ: TokenType
  algorithm: Algorithm
  keyring: Keyring
  issuer: string
  /** What is signed. */
  audience: string
  /** Other audiences that are accepted. */
  acceptedToo?: string[]
  /** When a new token begins to hold, s from now. */
  notBefore?: number
}

const maxSize = 8 * 1024 // characters: our largest token has a few hundred, the rest is room for custom claims

/** The claims of a token whose signature was verified, and the key that verified it. */
export interface Verified {
  claims: Record<string, unknown>
  key: SigningKey
}

/**
 * Signs a token.
 *
 * @param kid The key to sign with; the newest when left out. It has to be on the keyring.
 */
export function sign({ keyring, algorithm, typ }: TokenFormat, claims: object, kid?: string): string {
  const key = kid === undefined ? keyring.newest : keyring.find(kid)!

  return jsonwebtoken.sign(claims, key.signKey!, {
    algorithm,
    header: { alg: algorithm, typ, kid: key.kid }
  })
}

/**
 * Verifies everything about a token except its claims.
 *
 * @throws Refused `invalid`
 */
export function verify(format: TokenFormat, raw: string): Verified {
  const { header, claims } = decode(raw)
  const key = checkHeader(format, header)

  checkSignature(format, raw, key)
  return { claims, key }
}

/** The claims of a token that was just signed. */
export const payloadOf = (token: string): Json => jsonwebtoken.decode(token) as Json

/** The algorithm that a verified token was signed with. */
export const algorithmOf = (token: string): string => decode(token).header.alg as string

type Json = Record<string, unknown>

/** Decodes a token without verifying it. @throws Refused `invalid` */
export function decode(raw: string): { header: Json; claims: Json } {
  const parts = raw.length <= maxSize ? raw.split('.') : []

  if (parts.length !== 3) {
    throw new Refused('invalid')
  }

  const [header, claims] = parts.map(fromBase64url)

  return { header: fromJson(header!), claims: fromJson(claims!) }
}

// RFC 4648 §3.5: several encodings of the same bytes would be several tokens with one meaning
function fromBase64url(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')

  if (bytes.toString('base64url') !== part) {
    throw new Refused('invalid')
  }

  return bytes
}

// Our tokens hold the output of JSON.stringify. JSON that does not survive the round trip is not ours: it has a
// duplicate member (whose meaning RFC 7519 §4 leaves open) or a number out of range.
function fromJson(bytes: Buffer): Json {
  try {
    const json = bytes.toString('utf8')
    const value: unknown = JSON.parse(json)

    if (
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      JSON.stringify(value) === json
    ) {
      return value as Json
    }
  } catch {
    // not JSON
  }

  throw new Refused('invalid')
}

// RFC 8725 §3.1, §3.11: we decide the algorithm and the type, never the token
function checkHeader({ typ, algorithm, keyring }: TokenFormat, header: Json): SigningKey {
  const { kid } = header

  if (
    header.alg !== algorithm ||
    header.typ !== typ ||
    'crit' in header || // RFC 7515 §4.1.11: we understand no extension
    typeof kid !== 'string'
  ) {
    throw new Refused('invalid')
  }

  const key = keyring.find(kid)

  if (!key) {
    throw new Refused('invalid')
  }

  return key
}

// jsonwebtoken verifies with jws too, but parses and checks the token a second time
function checkSignature({ algorithm }: TokenFormat, raw: string, { verifyKey }: SigningKey): void {
  if (!isSigned(raw, algorithm, verifyKey)) {
    throw new Refused('invalid')
  }
}

function isSigned(raw: string, algorithm: Algorithm, key: KeyObject): boolean {
  try {
    return jws.verify(raw, algorithm, key as never) // its types do not include KeyObject yet
  } catch {
    return false // jws throws when the signature's length does not fit the algorithm
  }
}
