import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'

/** A key and its id, which stands in the header of the tokens it signs (RFC 7515 §4.1.4). */
export interface SigningKey {
  kid: string
  key: KeyObject
}

/** The keys of one kind of token: the newest signs, all verify. */
export interface Keyring {
  newest: SigningKey
  byId: ReadonlyMap<string, KeyObject>
}

/** The secrets in a setting: separated by commas, the newest first, blanks around them dropped. */
export function splitSecrets(setting: string): string[] {
  return setting.split(',').map((secret) => secret.trim())
}

/**
 * A keyring of HMAC keys, each the UTF-8 bytes of a secret.
 *
 * @param setting One or several secrets, the newest first, separated by commas; none of them empty.
 */
export function createKeyring(setting: string): Keyring {
  const keys = splitSecrets(setting).map(toSigningKey)

  return { newest: keys[0]!, byId: new Map(keys.map(({ kid, key }) => [kid, key])) }
}

function toSigningKey(secret: string): SigningKey {
  // A KeyObject made once: given a string, jsonwebtoken tries to parse it as a PEM key at each call
  const key = createSecretKey(Buffer.from(secret, 'utf8'))
  // Derived from the key, so that all instances agree on it without configuration
  const kid = createHmac('sha256', key).update('kid').digest('base64url').slice(0, 16)

  return { kid, key }
}
