import { readFileSync, statSync } from 'node:fs'
import { ConfigurationError } from '../errors.js'
import type { KeySource, TokenKind } from './keyring.js'
import type { SigningKey } from './signing-key.js'

/** A key file, which is JSON: the keys as in the two settings, and from when on each key signs. */
export interface KeyFileContent {
  accessToken: string
  refreshToken: string
  /** Only with factors. */
  factor?: string
  /** ISO 8601 times by `kid`. A key that is not listed signs as soon as it is the newest. */
  signsFrom?: Record<string, string>
}

export type KeysByKind = Record<TokenKind, readonly SigningKey[]>

const checkInterval = 1000 // ms

/** @throws ConfigurationError when the file can't be read, or holds something else */
export function readKeyFile(path: string): KeyFileContent {
  let text: string

  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException

    throw new ConfigurationError(
      `The key file ${path} can not be read (${code}): create it with \`moult keys rotate\`, and let this user read it`
    )
  }

  return parseContent(text, path)
}

function parseContent(text: string, path: string): KeyFileContent {
  try {
    const content = JSON.parse(text) as KeyFileContent
    const { accessToken, refreshToken, factor, signsFrom = {} } = content
    const times = Object.values(signsFrom).map((time) => Date.parse(time))

    if ([accessToken, refreshToken, factor ?? accessToken].every(isKey) && times.every(Number.isFinite)) {
      return content
    }
  } catch {
    // Not JSON. The parser's message may quote the content
  }

  throw new ConfigurationError(
    `The key file ${path} is not JSON with the keys accessToken and refreshToken, and times in signsFrom: ` +
      'correct it, or remove it and create another with `moult keys rotate`'
  )
}

const isKey = (value: unknown): boolean => typeof value === 'string' && value !== ''

/** The keys in a file, which is read again when it changes: within a second, or at once when a key is missing. */
export class KeyFile {
  readonly #path: string
  readonly #parse: (content: KeyFileContent) => KeysByKind
  readonly #warn: (sentence: string) => void
  #stamp: string
  #checkedAt: number
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
    this.#checkedAt = performance.now()
    this.#stamp = stampOf(path)
    this.#keys = parse(readKeyFile(path))
  }

  /** The keys of one kind. */
  source(kind: TokenKind): KeySource {
    return (refresh = false) => {
      if (refresh || performance.now() - this.#checkedAt >= checkInterval) {
        this.#reload()
      }

      return this.#keys[kind]
    }
  }

  /** Reads the file if it has changed, which takes one `stat` to know. An invalid file changes nothing. */
  #reload(): void {
    // Taken before the file is read, so that a write in between is noticed next time
    const stamp = stampOf(this.#path)

    this.#checkedAt = performance.now()

    if (stamp === this.#stamp) {
      return
    }

    this.#stamp = stamp

    try {
      this.#keys = this.#parse(readKeyFile(this.#path))
    } catch (error) {
      this.#warn(`${(error as Error).message}. The previous keys stay in use.`)
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
