import { BadRequest } from '@feathersjs/errors'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** A link that was mailed, as it is stored on the user document: without its token. */
export interface StoredLink {
  /** Names it in the link. It is random, so that nobody can spend the tries of another's link. */
  id: string
  /** SHA-256 of the tokens that were mailed: one for each attempt to send the mail. */
  hashes: string[]
  /** What another package stored of it. */
  previous?: string
  /** How many wrong tokens came for it. */
  tries: number
  /** When it was asked for: a newer one replaces it. */
  askedAt: Date
  expiresAt: Date
}

export const maxTries = 5

/** A new id of a link. */
export const newLinkId = (): string => randomBytes(16).toString('base64url')

/** A new token of a link, and how it is stored. */
export function newToken(): { token: string; hash: string } {
  const token = randomBytes(32).toString('base64url')

  return { token, hash: hashOf(token) }
}

/** Tokens have 256 random bits, so a plain hash can't be guessed. */
export const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

/** A value that is another one as soon as a stored password is, or its absence. */
export const digestOf = (stored: unknown): string => hashOf(JSON.stringify(stored ?? null))

/** Whether a token is one of a stored link, as we store it. */
export function matches({ hashes }: StoredLink, token: string): boolean {
  const hash = Buffer.from(hashOf(token))

  return hashes.some((stored) => stored.length === hash.length && timingSafeEqual(Buffer.from(stored), hash))
}

/** 400 with a stable `data.reason`: the same for a wrong, a used, a replaced and an unknown link. */
export class LinkRefused extends BadRequest {
  declare readonly data: { reason: 'invalid' | 'expired' }

  constructor(reason: 'invalid' | 'expired') {
    super(reason === 'invalid' ? 'The link is not valid' : 'The link has expired', { reason })
  }
}
