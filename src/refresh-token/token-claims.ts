import { Refused } from './errors.js'
import type { TokenFormat } from './token.js'

export const skew = 60 // s: how far ahead the clock of another instance may be

/**
 * Checks the claims that both kinds of token carry.
 *
 * @param time ms since 1970
 * @throws Refused `invalid` or `expired`
 */
export function checkClaims(
  { issuer, audience }: TokenFormat,
  claims: Record<string, unknown>,
  time: number
): void {
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
