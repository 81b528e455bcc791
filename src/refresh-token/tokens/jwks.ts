import { toPublicJwk, type Jwk } from '../keys/signing-key.js'
import type { TokenFormat } from './jwt.js'

/** A JWK set (RFC 7517 §5). */
export interface KeySet {
  keys: Jwk[]
}

/**
 * The public keys that verify tokens, including keys that will sign later and keys that no longer sign. Empty for HMAC,
 * whose keys must stay secret.
 */
export function publicKeySet({ keyring, algorithm }: TokenFormat): KeySet {
  return { keys: keyring.keys.map((key) => toPublicJwk(key, algorithm)).filter((jwk) => jwk !== undefined) }
}
