import { checkClaims, requireText, type Claims } from './claims.js'
import { sign, verify, type TokenFormat } from './jwt.js'

/** The claims of a refresh token. */
export interface RefreshTokenClaims extends Claims {
  /** The `jti` of the refresh token that was used to get this one; of a session's first token, a random root. */
  prev: string
}

/** A parsed refresh token, and the id of the key that signed it. */
export interface RefreshToken extends RefreshTokenClaims {
  kid: string
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
  return { ...(claims as unknown as Claims), kid: key.kid, prev: requireText(claims.prev) }
}

/**
 * Signs a refresh token. The same claims and key give the same token, byte for byte, so a session that keeps its token
 * (`rotation: false`) can answer it again without storing it.
 *
 * @param kid The key to sign with; the newest when left out. It has to be on the keyring.
 */
export function mintRefreshToken(
  format: TokenFormat,
  { sub, sid, iat, exp, jti, prev }: Omit<RefreshTokenClaims, 'iss' | 'aud'>,
  kid?: string
): string {
  return sign(format, { sub, sid, iat, exp, jti, iss: format.issuer, aud: format.audience, prev }, kid)
}
