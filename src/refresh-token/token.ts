import type { KeyObject } from 'node:crypto'
import jsonwebtoken from 'jsonwebtoken'
import jws from 'jws'
import { Refused } from './errors.js'
import type { Keyring } from './keyring.js'
import type { Algorithm, SigningKey } from './signing-key.js'

/** The claims that both kinds of token carry (RFC 7519 §4.1). Times are in seconds since 1970. */
export interface Claims {
  /** the user's id */
  sub: string
  /** the session's id */
  sid: string
  iat: number
  exp: number
  jti: string
  iss: string
  aud: string
}

/** The claims of an access token, and whatever else the app put into it. */
export interface AccessTokenClaims extends Claims {
  [claim: string]: unknown
}

/** The claims of a refresh token. */
export interface RefreshTokenClaims extends Claims {
  /** the `jti` of the refresh token that was used to get this one */
  prev: string
}

/** A refresh token that was parsed, and the id of the key that signed it. */
export interface RefreshToken extends RefreshTokenClaims {
  kid: string
}

/** `typ` of an access token's header (RFC 9068 §2.1) and of a refresh token's. */
export type TokenType = 'at+jwt' | 'refresh'

/** How tokens of one kind are signed and checked. */
export interface TokenFormat {
  typ: TokenType
  algorithm: Algorithm
  keyring: Keyring
  issuer: string
  audience: string
}

const maxSize = 8 * 1024 // characters: our largest token has a few hundred, the rest is room for custom claims
export const skew = 60 // s: how far ahead the clock of another instance may be

/**
 * Signs a token. The same claims, key and format give the same token, byte for byte.
 *
 * @param kid The key to sign with; the newest when left out. It has to be on the keyring.
 */
export function mint({ keyring, algorithm, typ }: TokenFormat, claims: object, kid?: string): string {
  const key = kid === undefined ? keyring.newest : keyring.find(kid)!

  return jsonwebtoken.sign(claims, key.signKey!, {
    algorithm,
    header: { alg: algorithm, typ, kid: key.kid }
  })
}

/**
 * Parses a refresh token.
 *
 * @param now ms since 1970
 * @throws Refused `invalid` or `expired`
 */
export function parseRefreshToken(format: TokenFormat, raw: string, now: number): RefreshToken {
  const { claims, key } = verify(format, raw)

  checkClaims(format, claims, now)
  return { ...(claims as unknown as Claims), kid: key.kid, prev: text(claims.prev) }
}

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

/**
 * Checks the claims that both kinds of token carry.
 *
 * @param time ms since 1970
 * @throws Refused `invalid` or `expired`
 */
export function checkClaims({ issuer, audience }: TokenFormat, claims: Json, time: number): void {
  const now = Math.floor(time / 1000)

  text(claims.sub)
  text(claims.sid)
  text(claims.jti)

  if (claims.iss !== issuer || claims.aud !== audience) {
    throw new Refused('invalid')
  }
  if (seconds(claims.iat) > now + skew || ('nbf' in claims && seconds(claims.nbf) > now + skew)) {
    throw new Refused('invalid')
  }
  if (seconds(claims.exp) <= now) {
    throw new Refused('expired')
  }
}

export function text(claim: unknown): string {
  if (typeof claim !== 'string' || claim === '') {
    throw new Refused('invalid')
  }

  return claim
}

export function seconds(claim: unknown): number {
  if (typeof claim !== 'number') {
    throw new Refused('invalid')
  }

  return claim
}
