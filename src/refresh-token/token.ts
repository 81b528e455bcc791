import jsonwebtoken from 'jsonwebtoken'
import type { Keyring } from './keyring.js'
import type { Algorithm } from './signing-key.js'
import { checkClaims, text } from './token-claims.js'
import { verify } from './token-verification.js'

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
