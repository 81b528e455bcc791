import { ConfigurationError } from '../refresh-token/index.js'
import {
  readKeyFile,
  type KeyFileContent,
  type TokenKind,
  keysIn,
  algorithms,
  generateKey,
  splitKeys,
  toSigningKey,
  type Algorithm
} from '../refresh-token/internal.js'
import { existingFile, replaceFile } from './write-file.js'
import { reportKeys, stoppedByFile } from './report.js'

// ms: longer than caches keep the published keys (5 min) and than any instance takes to read the file
export const lead = 10 * 60_000

const fields = { access: 'accessToken', refresh: 'refreshToken', factor: 'factor' } as const satisfies Record<
  TokenKind,
  keyof KeyFileContent
>

/** The kinds whose keys are dropped once they are no longer needed. */
export const regularKinds = ['access', 'refresh'] as const satisfies TokenKind[]

export interface Rotation {
  /** The algorithm of access tokens. */
  algorithm: Algorithm
  /** The longest life of a token of each kind, ms. Keys of factors are never dropped: what they encrypted stays. */
  life: Record<Exclude<TokenKind, 'factor'>, number>
  /** The kinds of tokens that get a new key; those of factors, which are never dropped, only if it is asked for. */
  kinds?: readonly TokenKind[]
  /** ms since 1970 */
  now: number
  /** How long a new key only verifies, before it signs, ms. */
  leadTime?: number
}

/** A key that was added or dropped. */
export interface RotatedKey {
  kind: TokenKind
  kid: string
  /** ms since 1970 */
  signsFrom?: number
}

export interface Rotated {
  added: RotatedKey[]
  dropped: RotatedKey[]
}

const algorithmOf = (kind: TokenKind, algorithm: Algorithm): Algorithm =>
  kind === 'access' ? algorithm : 'HS256'

/**
 * Adds a new key of each kind to a key file, which signs after the lead time, and drops the keys that are no longer
 * needed. If two rotations run at once, one of them is refused.
 *
 * @throws ConfigurationError when the file can't be read or written, or its keys don't fit the algorithm
 */
export function rotateKeys(
  file: string,
  { algorithm, life, kinds = regularKinds, now, leadTime = lead }: Rotation
): Rotated {
  const added: RotatedKey[] = []
  const dropped: RotatedKey[] = []

  replaceFile(file, () => {
    const content = readKeyFile(file)
    const keys = keysIn(content, { file, algorithm, production: false })
    const after: KeyFileContent = { ...content, signsFrom: { ...content.signsFrom } }

    for (const kind of kinds) {
      const own = algorithmOf(kind, algorithm)
      const toKid = (text: string) => toSigningKey(text, own, file).kid
      const text = generateKey(own)
      const before = content[fields[kind]]
      const key = { kind, kid: toKid(text), signsFrom: now + (before === undefined ? 0 : leadTime) }
      const spent = reportKeys(keys[kind], {
        life: kind === 'factor' ? Infinity : life[kind],
        now,
        stopped: (older) => stoppedByFile(keys[kind], older)
      }).filter(({ state }) => state === 'spent')
      const isKept = (kid: string) => spent.every((other) => other.kid !== kid)

      after[fields[kind]] = [
        text,
        ...(before === undefined ? [] : splitKeys(before)).filter((old) => isKept(toKid(old)))
      ].join()
      after.signsFrom![key.kid] = new Date(key.signsFrom).toISOString()
      spent.forEach(({ kid }) => delete after.signsFrom![kid])
      added.push(key)
      dropped.push(...spent.map(({ kid }) => ({ kind, kid })))
    }

    return format(after)
  })

  return { added, dropped }
}

/**
 * Creates a key file, unless it exists. Its keys sign at once.
 *
 * @returns Whether it was created
 * @throws ConfigurationError
 */
export function makeKeyFile(file: string, algorithm: unknown): boolean {
  const supported = algorithms.find((name) => name === algorithm)

  if (existingFile(file)) {
    return false
  }
  if (!supported) {
    throw new ConfigurationError(
      `authentication.jwtOptions.algorithm is ${JSON.stringify(algorithm)}: write one of ${algorithms.join(', ')}`
    )
  }

  replaceFile(file, () =>
    format({
      accessToken: generateKey(supported),
      refreshToken: generateKey('HS256'),
      factor: generateKey('HS256')
    })
  )
  return true
}

const format = (content: KeyFileContent): string => `${JSON.stringify(content, null, 2)}\n`
