import { BadRequest } from '@feathersjs/errors'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** A mailed link as stored on the user document, without its token. */
export interface StoredLink {
  /** The id in the link. It is random, so that nobody can use up the tries of somebody else's link. */
  id: string
  /** SHA-256 of each mailed token: one for each attempt to send the mail. */
  hashes: string[]
  /** The hash of an imported link, as another package stored it. */
  previous?: string
  /** The number of wrong tokens so far. */
  tries: number
  /** When it was requested. A newer link replaces it. */
  askedAt: Date
  expiresAt: Date
}

export const maxTries = 5

/** A new id for a link. */
export const newLinkId = (): string => randomBytes(16).toString('base64url')

/** A new token for a link, and the hash to store. */
export function newToken(): { token: string; hash: string } {
  const token = randomBytes(32).toString('base64url')

  return { token, hash: hashOf(token) }
}

/** A plain hash. Tokens have 256 random bits, so it can't be reversed by guessing. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** A value that changes whenever a stored password is set, changed or removed. */
export const digestOf = (stored: unknown): string => hashOf(JSON.stringify(stored ?? null))

/** Whether a token matches one of the hashes of a link. */
export function matches({ hashes }: StoredLink, token: string): boolean {
  const hash = Buffer.from(hashOf(token))

  return hashes.some((stored) => stored.length === hash.length && timingSafeEqual(Buffer.from(stored), hash))
}

/** 400 with a stable `data.reason`, which is the same for wrong, used, replaced and unknown links. */
export class LinkRefused extends BadRequest {
  declare readonly data: { reason: 'invalid' | 'expired' }

  constructor(reason: 'invalid' | 'expired') {
    super(reason === 'invalid' ? 'The link is not valid' : 'The link has expired', { reason })
  }
}
