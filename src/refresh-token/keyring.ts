import type { SigningKey } from './signing-key.js'

/** Where the keys of a keyring come from: the newest first, none twice. `anew`: whatever was looked at before. */
export type KeySource = (anew?: boolean) => readonly SigningKey[]

/**
 * The keys of one kind of token: the newest signs, all verify. Where they come from a file, it is followed while the
 * service runs.
 */
export class Keyring {
  readonly #source: KeySource
  readonly #now: () => number

  /** @param now ms since 1970 */
  constructor(source: KeySource, now: () => number) {
    this.#source = source
    this.#now = now
  }

  /** All keys, the newest first. */
  get keys(): readonly SigningKey[] {
    return this.#source()
  }

  /** The key that signs. */
  get newest(): SigningKey {
    return signerOf(this.keys, this.#now())!
  }

  /** All keys by their ids, as they are at this moment. */
  get byId(): ReadonlyMap<string, SigningKey> {
    return new Map(this.#source(true).map((key) => [key.kid, key]))
  }

  /** The key of that id. Another instance may sign with one that was not read here yet. */
  find(kid: string): SigningKey | undefined {
    const withId = (key: SigningKey) => key.kid === kid

    return this.keys.find(withId) ?? this.#source(true).find(withId)
  }
}

/** Of keys, the newest first, the one that signs; undefined where all are public. */
export function signerOf(keys: readonly SigningKey[], now: number): SigningKey | undefined {
  const able = keys.filter(({ signKey }) => signKey)

  return able.find(({ signsFrom = 0 }) => signsFrom <= now) ?? able.at(-1)
}
