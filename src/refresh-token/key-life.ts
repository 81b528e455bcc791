import { signerOf } from './keyring.js'
import type { Settings } from './options.js'
import type { SigningKey } from './signing-key.js'

/** The kinds of token, each with keys of its own. */
export const tokenKinds = ['access', 'refresh'] as const

export type TokenKind = (typeof tokenKinds)[number]

/**
 * What a key is for: `next` verifies, and is going to sign; `signs` does both; `verifies` has signed tokens that live;
 * `spent` is no longer needed; `unused` verifies, but has never been seen to sign; `missing` is needed and not there.
 */
export type KeyState = 'next' | 'signs' | 'verifies' | 'spent' | 'unused' | 'missing'

export interface KeyReport {
  kid: string
  state: KeyState
  /** ms since 1970; undefined where it is not known */
  signsFrom?: number | undefined
  /** ms since 1970; undefined while no end of its signing is known */
  neededTill?: number | undefined
}

const skew = 60_000 // ms: how far the clocks of two instances may be apart

/** How long the tokens of one kind live at most, in ms. */
export function tokenLife(kind: TokenKind, { accessLife, idleLife, absoluteLife }: Settings): number {
  // The token that a session keeps (`rotation: false`) expires with it too, and is minted by its first key till then
  return kind === 'access' ? accessLife : Math.min(idleLife, absoluteLife)
}

/**
 * The rule: a key is needed till the last token that it signed has expired.
 *
 * @param stopped When it signed last, ms since 1970
 * @param life How long that token lives at most, ms
 */
export function neededTill(stopped: number, life: number): number {
  return stopped + life + skew
}

/** By the times in a key file: a key stopped signing when a newer one began. */
export function stoppedByFile(keys: readonly SigningKey[], { kid }: SigningKey): number | undefined {
  const newer = keys.slice(
    0,
    keys.findIndex((key) => key.kid === kid)
  )

  return newer.findLast(({ signKey, signsFrom }) => signKey && signsFrom !== undefined)?.signsFrom
}

/**
 * What each key is for, the newest first.
 *
 * @param stopped When a key signed last, as far as that is known: ms since 1970
 */
export function reportKeys(
  keys: readonly SigningKey[],
  { life, now, stopped }: { life: number; now: number; stopped: (key: SigningKey) => number | undefined }
): KeyReport[] {
  const signer = keys.indexOf(signerOf(keys, now)!)
  const lastSignature = (key: SigningKey, isOld: boolean) =>
    // Who signs with a key whose public half alone is known, and till when, is not known here
    !key.signKey ? undefined : isOld ? stopped(key) : stoppedByFile(keys, key)

  return keys.map((key, index) => {
    const { kid, signsFrom } = key
    const last = lastSignature(key, index > signer)
    const till = last === undefined ? undefined : neededTill(last, life)
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
