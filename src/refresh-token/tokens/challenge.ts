import { createHmac } from 'node:crypto'
import { Refused } from '../errors.js'
import { checkClaims, type Claims } from './claims.js'
import { sign, verify, type TokenFormat } from './jwt.js'

/** The first step of a login, which a further factor completes. `sid` is the id of the session that then opens. */
export interface FirstStep {
  sub: string
  sid: string
  strategy: string
  device: { id?: string; name?: string }
  amr: string[]
  /** Whether it asked for its refresh token in a cookie. */
  cookie: boolean
}

/** A parsed challenge. */
export interface Challenge extends Claims, FirstStep {
  /** A digest of the user's password and factors at that time. */
  state: string
  kid: string
}

const life = 5 * 60 // s: enough to look for the phone

/** What voids a challenge when it changes. */
export type State = (string | null)[]

/**
 * Signs a challenge: a login has the first step behind it, and needs a further factor. It opens nothing by itself.
 *
 * @param now ms since 1970
 */
export function mintChallenge(
  format: TokenFormat,
  { sub, sid, strategy, device, amr, cookie }: FirstStep,
  { jti, state, now }: { jti: string; state: State; now: number }
): string {
  const iat = Math.floor(now / 1000)
  const { kid } = format.keyring.newest

  return sign(
    format,
    {
      sub,
      sid,
      iat,
      exp: iat + life,
      jti,
      iss: format.issuer,
      aud: format.audience,
      strategy,
      device,
      amr,
      cookie,
      state: digestOf(format, kid, state)
    },
    kid
  )
}

/**
 * Parses a challenge.
 *
 * @param now ms since 1970
 * @throws Refused `invalid` or `expired`
 */
export function parseChallenge(format: TokenFormat, raw: string, now: number): Challenge {
  const { claims, key } = verify(format, raw)

  checkClaims(format, claims, now)
  return { ...(claims as unknown as Omit<Challenge, 'kid'>), kid: key.kid }
}

/** @throws Refused `expired` for a challenge from before a change of the password or of the factors */
export function requireState(format: TokenFormat, { kid, state }: Challenge, now: State): void {
  if (digestOf(format, kid, now) !== state) {
    throw new Refused('expired')
  }
}

/** Keyed, since the challenge can be read, and nobody shall try passwords on it. */
const digestOf = ({ keyring }: TokenFormat, kid: string, state: State): string =>
  createHmac('sha256', keyring.find(kid)!.signKey!).update(JSON.stringify(state)).digest('base64url')
