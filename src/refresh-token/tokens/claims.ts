import { Refused } from '../errors.js'

/** The claims that access and refresh tokens share (RFC 7519 §4.1). Times are in seconds since 1970. */
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

export const skew = 60 // s: how far ahead the clock of another instance may be

/**
 * Checks the claims that both kinds of token carry.
 *
 * @param now ms since 1970
 * @throws Refused `invalid` or `expired`
 */
export function checkClaims(expected: Expected, claims: Record<string, unknown>, now: number): void {
  requireText(claims.sub)
  requireText(claims.sid)
  requireText(claims.jti)

  if (!names(claims.iss, expected.issuer) || !names(claims.aud, expected.audience)) {
    throw new Refused('invalid')
  }

  checkTimes(claims, now)
}

/** A value, any of several, or a pattern. */
export type Expectation = string | RegExp | readonly (string | RegExp)[]

/** The issuer and the audience that a token has to name. */
export interface Expected {
  issuer: Expectation
  audience: Expectation
}

/** Whether a claim is what was expected. A list of values is not. */
export const names = (claim: unknown, expectation: Expectation): boolean =>
  typeof claim === 'string' &&
  [expectation]
    .flat()
    .some((expected) => (typeof expected === 'string' ? expected === claim : expected.test(claim)))

/** What a caller may also require of a token, like the options of jsonwebtoken's `verify`. */
export interface Requirements {
  subject?: string | undefined
  jwtid?: string | undefined
  nonce?: string | undefined
  /** s since `iat` */
  maxAge?: number | undefined
}

/** @throws Refused `invalid`, or `expired` for a token older than `maxAge` */
export function requireMatch(
  claims: Record<string, unknown>,
  { subject, jwtid, nonce, maxAge = Infinity }: Requirements,
  now: number
): void {
  const wanted = Object.entries({ sub: subject, jti: jwtid, nonce })

  if (wanted.some(([name, value]) => value !== undefined && claims[name] !== value)) {
    throw new Refused('invalid')
  }
  if (requireSeconds(claims.iat) + maxAge <= Math.floor(now / 1000)) {
    throw new Refused('expired')
  }
}

/** @throws Refused `invalid` for a token from the future, `expired` */
export function checkTimes(claims: Record<string, unknown>, now: number): void {
  const time = Math.floor(now / 1000)
  const begin = Math.max(requireSeconds(claims.iat), 'nbf' in claims ? requireSeconds(claims.nbf) : 0)

  if (begin > time + skew) {
    throw new Refused('invalid', begin - time - skew)
  }
  if (requireSeconds(claims.exp) <= time) {
    throw new Refused('expired')
  }
}

export function requireText(claim: unknown): string {
  if (typeof claim !== 'string' || claim === '') {
    throw new Refused('invalid')
  }

  return claim
}

function requireSeconds(claim: unknown): number {
  if (typeof claim !== 'number') {
    throw new Refused('invalid')
  }

  return claim
}
