import { LRUCache } from 'lru-cache'
import { randomUUID } from 'node:crypto'
import { checkClaims, type Claims, type Expected } from './claims.js'
import { sign, verify, type TokenFormat, type Verified } from './jwt.js'

/** The claims of an access token (RFC 9068), and any others that the app added. */
export interface AccessTokenClaims extends Claims {
  [claim: string]: unknown
}

const cacheSize = 5000 // tokens, about 1 kB each: those of the users who are active here

/** Parses access tokens. A token comes with every call until it expires, but its signature is verified only once. */
export class AccessTokens {
  readonly #format: TokenFormat
  readonly #verified = new LRUCache<string, Verified>({ max: cacheSize })

  constructor(format: TokenFormat) {
    this.#format = format
  }

  /**
   * @param now ms since 1970
   * @param expected Another issuer or audience than those of the settings
   * @throws Refused `invalid` or `expired`
   */
  parse(raw: string, now: number, expected: Partial<Expected> = {}): AccessTokenClaims {
    const { claims } = this.#cached(raw) ?? this.#verify(raw)

    const { issuer, audience, acceptedToo = [] } = this.#format

    checkClaims({ issuer, audience: [audience, ...acceptedToo], ...expected }, claims, now)
    return { ...claims } as AccessTokenClaims
  }

  /** A cached result holds only while its key is on the keyring. */
  #cached(raw: string): Verified | undefined {
    const verified = this.#verified.get(raw)

    return verified && this.#format.keyring.find(verified.key.kid) === verified.key ? verified : undefined
  }

  #verify(raw: string): Verified {
    const verified = verify(this.#format, raw)

    this.#verified.set(raw, verified)
    return verified
  }
}

/** In the options of a token: when its session expires (ms since 1970), or Infinity for a token without a session. */
export const sessionEnd = Symbol('session end')

/** How an access token differs from the configured ones. */
export interface AccessTokenOptions {
  [sessionEnd]?: number
  subject?: string | undefined
  issuer?: string | undefined
  audience?: string | undefined
  jwtid?: string | undefined
  /** s */
  expiresIn: number
  /** s from now */
  notBefore?: number | undefined
}

/**
 * Signs an access token (RFC 9068), which never outlives its session.
 *
 * @param now ms since 1970
 */
export function signAccessToken(
  format: TokenFormat,
  payload: Record<string, unknown>,
  options: AccessTokenOptions,
  now: number
): string {
  const { subject = payload.sub, issuer = format.issuer, audience = format.audience } = options
  const {
    [sessionEnd]: end = Infinity,
    jwtid = randomUUID(),
    expiresIn,
    notBefore = format.notBefore
  } = options
  const iat = Math.floor(now / 1000)

  return sign(format, {
    ...payload,
    sub: subject,
    iat,
    exp: Math.min(iat + expiresIn, Math.floor(end / 1000)),
    ...(notBefore !== undefined && { nbf: iat + notBefore }),
    jti: jwtid,
    iss: issuer,
    aud: audience
  })
}
