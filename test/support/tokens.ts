import { createHmac } from 'node:crypto'
import type { TestApp } from './app.js'

/** What a token says, unchecked. */
export function decoded(token: string) {
  const [header, claims] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString())

  return { header: JSON.parse(header!), claims: JSON.parse(claims!) }
}

export const base64url = (text: string): string => Buffer.from(text).toString('base64url')

/** A JWS in its compact form, put together by hand. Strings are JSON already, and taken as they are. */
export function handmade(
  header: unknown,
  claims: unknown,
  { secret, hash = 'sha256' }: { secret: string; hash?: string }
): string {
  const input = [header, claims].map((part) => base64url(json(part))).join('.')

  return `${input}.${signature(input, secret, hash)}`
}

export const signature = (input: string, secret: string, hash = 'sha256'): string =>
  createHmac(hash, secret).update(input).digest('base64url')

const json = (part: unknown): string => (typeof part === 'string' ? part : JSON.stringify(part))

/** The secrets that an app signs with: config/test.json, or what the test set. */
export function secretsOf({ app }: TestApp): { access: string; refresh: string } {
  const { secret, 'refresh-token': refreshToken } = app.get('authentication') as unknown as {
    secret: string
    'refresh-token': { secret: string }
  }

  return { access: secret, refresh: refreshToken.secret }
}
