import type { KeyObject } from 'node:crypto'
import jws from 'jws'
import { Refused } from './errors.js'
import type { Algorithm, SigningKey } from './signing-key.js'
import type { TokenFormat } from './token.js'

const maxSize = 8 * 1024 // characters: our largest token has a few hundred, the rest is room for custom claims

/** What a token says, signed by a key of ours, and that key: true for as long as the key is good. */
export interface Verified {
  claims: Record<string, unknown>
  key: SigningKey
}

/**
 * Verifies all of a token but its claims.
 *
 * @throws Refused `invalid`
 */
export function verify(format: TokenFormat, raw: string): Verified {
  const { header, claims } = decode(raw)
  const key = checkHeader(format, header)

  checkSignature(format, raw, key)
  return { claims, key }
}

type Json = Record<string, unknown>

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

// Our tokens hold what JSON.stringify wrote. What does not read back the same was not written by us: a member
// given twice (RFC 7519 §4 leaves its meaning open), a number out of range.
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
    // not JSON at all
  }

  throw new Refused('invalid')
}

/** The algorithm and the kind are ours to say, never the token's (RFC 8725 §3.1, §3.11). */
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

// What jsonwebtoken would parse and check once more is parsed and checked here; this is what it verifies with
function checkSignature({ algorithm }: TokenFormat, raw: string, { verifyKey }: SigningKey): void {
  if (!isSigned(raw, algorithm, verifyKey)) {
    throw new Refused('invalid')
  }
}

function isSigned(raw: string, algorithm: Algorithm, key: KeyObject): boolean {
  try {
    return jws.verify(raw, algorithm, key as never) // its types do not know of KeyObject yet
  } catch {
    return false // a signature of a length that its algorithm has not
  }
}
