import jsonwebtoken from 'jsonwebtoken'
import { createSecretKey, type KeyObject } from 'node:crypto'
import type { Document } from 'mongodb'
import { Refused } from './errors.js'
import { seconds, skew, text } from './token-claims.js'
import { decode } from './token-verification.js'

/** How access tokens of stock Feathers are checked: those that it issued before the app got sessions. */
export interface StockTokens {
  key: KeyObject
  issuer?: string | undefined
  audience: string
}

// Its secret is a string, so these are all that it can have signed with
const algorithms: jsonwebtoken.Algorithm[] = ['HS256', 'HS384', 'HS512']
const ownKinds = ['at+jwt', 'refresh']

export function toStockTokens({
  secret,
  issuer,
  audience
}: {
  secret: string
  issuer?: string | undefined
  audience: string
}): StockTokens {
  return { key: createSecretKey(Buffer.from(secret)), issuer, audience }
}

/** Whether a token says that it is none of ours. Nothing is believed of it yet. */
export function isStockToken(raw: string): boolean {
  const { typ } = decode(raw).header

  return !ownKinds.includes(typ as string)
}

/**
 * Parses an access token of stock Feathers. It belongs to no session, whatever it says.
 *
 * @param now ms since 1970
 * @throws Refused `invalid` or `expired`
 */
export function parseStockToken({ key, issuer, audience }: StockTokens, raw: string, now: number): Document {
  const { sid: _sid, ...claims } = verified(raw, key)
  const time = Math.floor(now / 1000)

  text(claims.sub)

  if (![claims.aud].flat().includes(audience) || (issuer !== undefined && claims.iss !== issuer)) {
    throw new Refused('invalid')
  }
  if (seconds(claims.iat) > time + skew || ('nbf' in claims && seconds(claims.nbf) > time + skew)) {
    throw new Refused('invalid')
  }
  if (seconds(claims.exp) <= time) {
    throw new Refused('expired')
  }

  return claims
}

function verified(raw: string, key: KeyObject): Record<string, unknown> {
  const { header, claims } = decode(raw)

  if ('crit' in header) {
    throw new Refused('invalid')
  }

  try {
    // The times are checked against the clock we are given
    jsonwebtoken.verify(raw, key, { algorithms, ignoreExpiration: true, ignoreNotBefore: true })
  } catch {
    throw new Refused('invalid')
  }

  return claims
}
