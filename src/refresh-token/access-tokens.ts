import { LRUCache } from 'lru-cache'
import { checkClaims } from './token-claims.js'
import type { AccessTokenClaims, TokenFormat } from './token.js'
import { verify, type Verified } from './token-verification.js'

const remembered = 5000 // tokens, about 1 kB each: those of the users who are active here

/** Parses access tokens. One comes with each call of its life, and is verified once. */
export class AccessTokens {
  readonly #format: TokenFormat
  readonly #verified = new LRUCache<string, Verified>({ max: remembered })

  constructor(format: TokenFormat) {
    this.#format = format
  }

  /**
   * @param now ms since 1970
   * @throws Refused `invalid` or `expired`
   */
  parse(raw: string, now: number): AccessTokenClaims {
    const { claims } = this.#known(raw) ?? this.#verify(raw)

    checkClaims(this.#format, claims, now)
    return { ...claims } as AccessTokenClaims
  }

  /** What was verified, as long as its key is on the keyring. */
  #known(raw: string): Verified | undefined {
    const known = this.#verified.get(raw)

    return known && this.#format.keyring.find(known.key.kid) === known.key ? known : undefined
  }

  #verify(raw: string): Verified {
    const verified = verify(this.#format, raw)

    this.#verified.set(raw, verified)
    return verified
  }
}
