import jsonwebtoken from 'jsonwebtoken'
import { createSecretKey, type KeyObject } from 'node:crypto'
import type { Document } from 'mongodb'
import { Refused } from '../errors.js'
import { checkTimes, names, requireText, type Expected } from './claims.js'
import { decode } from './jwt.js'

/** How to verify the access tokens that stock Feathers issued before the app adopted sessions. */
export interface StockTokens {
  key: KeyObject
  issuer?: string | undefined
  audience: string
}

// Stock Feathers signs with a string secret, which allows no other algorithms
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

/** Whether a token's header says that it is not one of ours. The header is not verified yet. */
export function isStockToken(raw: string): boolean {
  const { typ } = decode(raw).header

  return !ownKinds.includes(typ as string)
}

/**
 * Parses an access token of stock Feathers. It belongs to no session, even if its claims name one.
 *
 * @param now ms since 1970
 * @param expected Another issuer or audience than those of the settings
 * @throws Refused `invalid` or `expired`
 */
export function parseStockToken(
  { key, ...settings }: StockTokens,
  raw: string,
  now: number,
  expected: Partial<Expected> = {}
): Document {
  const { issuer, audience } = { ...settings, ...expected }
  const { sid: _sid, ...claims } = verified(raw, key)

  requireText(claims.sub)

  if (
    ![claims.aud].flat().some((claim) => names(claim, audience)) ||
    (issuer !== undefined && !names(claims.iss, issuer))
  ) {
    throw new Refused('invalid')
  }

  checkTimes(claims, now)
  return claims
}

function verified(raw: string, key: KeyObject): Record<string, unknown> {
  const { header, claims } = decode(raw)

  if ('crit' in header) {
    throw new Refused('invalid')
  }

  try {
    // checkTimes checks the times, against an injected clock
    jsonwebtoken.verify(raw, key, { algorithms, ignoreExpiration: true, ignoreNotBefore: true })
  } catch {
    throw new Refused('invalid')
  }

  return claims
}
