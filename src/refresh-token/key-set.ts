import { toPublicJwk, type Jwk } from './signing-key.js'
import type { TokenFormat } from './token.js'

/** A JWK set (RFC 7517 §5). */
export interface KeySet {
  keys: Jwk[]
}

/**
 * The public keys of tokens, for others to verify them with: also of those that are going to sign, and of those that
 * did. An HMAC key has nothing that may be published, so the set is empty then.
 */
export function publicKeySet({ keyring, algorithm }: TokenFormat): KeySet {
  return { keys: keyring.keys.map((key) => toPublicJwk(key, algorithm)).filter((jwk) => jwk !== undefined) }
}
