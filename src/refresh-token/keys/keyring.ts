import type { SigningKey } from './signing-key.js'

/** The kinds of token, each with keys of its own. Those of `factor` sign challenges and encrypt factors, too. */
export const tokenKinds = ['access', 'refresh', 'factor'] as const

export type TokenKind = (typeof tokenKinds)[number]

/** Returns the keys of a keyring, the newest first, without duplicates. With `refresh`, a file is checked at once. */
export type KeySource = (refresh?: boolean) => readonly SigningKey[]

/**
 * The keys of one kind of token: the newest signs, all verify. Keys in a file may change while the service runs.
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

  /** All keys by `kid`, read from their source at this moment. */
  get byId(): ReadonlyMap<string, SigningKey> {
    return new Map(this.#source(true).map((key) => [key.kid, key]))
  }

  /** Finds a key. Another instance may sign with a key that was not read here yet. */
  find(kid: string): SigningKey | undefined {
    const withId = (key: SigningKey) => key.kid === kid

    return this.keys.find(withId) ?? this.#source(true).find(withId)
  }
}

/**
 * The key that signs, of keys with the newest first; undefined when all are public.
 *
 * @param now ms since 1970
 */
export function signerOf(keys: readonly SigningKey[], now: number): SigningKey | undefined {
  const able = keys.filter(({ signKey }) => signKey)

  return able.find(({ signsFrom = 0 }) => signsFrom <= now) ?? able.at(-1)
}
