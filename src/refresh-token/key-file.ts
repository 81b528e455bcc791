import { readFileSync, statSync } from 'node:fs'
import { ConfigurationError } from './errors.js'
import type { TokenKind } from './key-life.js'
import type { KeySource } from './keyring.js'
import type { SigningKey } from './signing-key.js'

/** What a key file holds, as JSON: what the two settings would, and since when each key signs. */
export interface KeyFileContent {
  accessToken: string
  refreshToken: string
  /** By `kid`, ISO 8601. A key that is not listed signs as soon as it is the newest. */
  signsFrom?: Record<string, string>
}

export type KeysByKind = Record<TokenKind, readonly SigningKey[]>

const betweenLooks = 1000 // ms of a clock that nobody sets

/** @throws ConfigurationError when the file can't be read, or holds something else */
export function readKeyFile(path: string): KeyFileContent {
  let text: string

  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException

    throw new ConfigurationError(
      `The key file ${path} can not be read (${code}): make it with \`moult keys rotate\`, readable by this user`
    )
  }

  return parseContent(text, path)
}

function parseContent(text: string, path: string): KeyFileContent {
  try {
    const content = JSON.parse(text) as KeyFileContent
    const { accessToken, refreshToken, signsFrom = {} } = content
    const times = Object.values(signsFrom).map((time) => Date.parse(time))

    if (isKey(accessToken) && isKey(refreshToken) && times.every(Number.isFinite)) {
      return content
    }
  } catch {
    // not JSON: what the parser says of it may quote it
  }

  throw new ConfigurationError(
    `The key file ${path} is not JSON with the keys accessToken and refreshToken, and times in signsFrom: ` +
      'mend it, or remove it and make another with `moult keys rotate`'
  )
}

const isKey = (value: unknown): boolean => typeof value === 'string' && value !== ''

/** A key file that is followed: a change is noticed within a second, or when a key is asked for that is not known. */
export class KeyFile {
  readonly #path: string
  readonly #parse: (content: KeyFileContent) => KeysByKind
  readonly #warn: (sentence: string) => void
  #stamp: string
  #looked: number
  #keys: KeysByKind

  /** @throws ConfigurationError */
  constructor(
    path: string,
    parse: (content: KeyFileContent) => KeysByKind,
    warn: (sentence: string) => void
  ) {
    this.#path = path
    this.#parse = parse
    this.#warn = warn
    this.#looked = performance.now()
    this.#stamp = stampOf(path)
    this.#keys = parse(readKeyFile(path))
  }

  /** The keys of one kind. */
  source(kind: TokenKind): KeySource {
    return (anew = false) => {
      if (anew || performance.now() - this.#looked >= betweenLooks) {
        this.#look()
      }

      return this.#keys[kind]
    }
  }

  /** Reads the file if it is another than last time: one `stat` if it is not. A bad one changes nothing. */
  #look(): void {
    // Before it is read: what is written in between is noticed at the next look
    const stamp = stampOf(this.#path)

    this.#looked = performance.now()

    if (stamp === this.#stamp) {
      return
    }

    this.#stamp = stamp

    try {
      this.#keys = this.#parse(readKeyFile(this.#path))
    } catch (error) {
      this.#warn(`${(error as Error).message}. The keys from before stay in use.`)
    }
  }
}

function stampOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path)

    return [ino, size, mtimeMs].join()
  } catch {
    return 'missing'
  }
}
