import type { Settings } from '../refresh-token/index.js'
import { signerOf, type Keyring, type SigningKey, type TokenKind } from '../refresh-token/internal.js'

/**
 * The state of a key. `next`: verifies, and will sign; `signs`: signs and verifies; `verifies`: has signed tokens that
 * are still valid; `spent`: no longer needed; `unused`: verifies, but has never signed; `missing`: needed, but gone.
 */
export type KeyState = 'next' | 'signs' | 'verifies' | 'spent' | 'unused' | 'missing'

export interface KeyReport {
  kid: string
  state: KeyState
  /** ms since 1970; undefined if unknown */
  signsFrom?: number | undefined
  /** ms since 1970; undefined while it may go on signing */
  neededTill?: number | undefined
}

const skew = 60_000 // ms: how far the clocks of two instances may differ

/** The longest life of a token of that kind, ms. What is stored of factors, a key is needed for until it is gone. */
export function tokenLife(kind: TokenKind, { accessLife, idleLife, absoluteLife }: Settings): number {
  if (kind === 'factor') {
    return Infinity
  }

  // With `rotation: false` too: the token of a session is signed with its first key until the session expires
  return kind === 'access' ? accessLife : Math.min(idleLife, absoluteLife)
}

/**
 * The rule: a key is needed until the last token that it signed has expired.
 *
 * @param stopped When it last signed, ms since 1970
 * @param life The longest life of that token, ms
 */
export function neededTill(stopped: number, life: number): number {
  return stopped + life + skew
}

/** The keyring of a kind of token; undefined if it has no keys. */
export const keyringOf = (
  kind: TokenKind,
  { accessTokens, refreshTokens, factors }: Settings
): Keyring | undefined =>
  ({ access: accessTokens, refresh: refreshTokens, factor: factors?.challenges })[kind]?.keyring

/** When a key stopped signing, according to the times in a key file: when a newer one began. */
export function stoppedByFile(keys: readonly SigningKey[], { kid }: SigningKey): number | undefined {
  const newer = keys.slice(
    0,
    keys.findIndex((key) => key.kid === kid)
  )

  return newer.findLast(({ signKey, signsFrom }) => signKey && signsFrom !== undefined)?.signsFrom
}

/**
 * The state of each key, newest first.
 *
 * @param stopped When a key last signed, ms since 1970; undefined if unknown
 */
export function reportKeys(
  keys: readonly SigningKey[],
  { life, now, stopped }: { life: number; now: number; stopped: (key: SigningKey) => number | undefined }
): KeyReport[] {
  const signer = keys.indexOf(signerOf(keys, now)!)
  const lastSignature = (key: SigningKey, isOld: boolean) =>
    // Of a public key it is unknown who signs with the private one, and until when
    !key.signKey ? undefined : isOld ? stopped(key) : stoppedByFile(keys, key)

  return keys.map((key, index) => {
    const { kid, signsFrom } = key
    const last = lastSignature(key, index > signer)
    const till = last === undefined || life === Infinity ? undefined : neededTill(last, life)
    const state =
      index === signer
        ? 'signs'
        : index < signer && key.signKey
          ? 'next'
          : till !== undefined && till <= now
            ? 'spent'
            : 'verifies'

    return { kid, state, signsFrom, neededTill: till }
  })
}
