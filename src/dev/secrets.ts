import { randomBytes } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DevelopmentError, reason } from './development-error.js'

/** The signing secrets of a development service. */
export interface DevelopmentSecrets {
  accessToken: string
  refreshToken: string
  factor: string
}

const length = 48 // bytes: more than the 32 that HS256 needs, and without padding in base64url

/** The file with the secrets of a folder. */
export const secretsFile = (folder: string) => join(folder, 'secrets.json')

/**
 * The secrets of a folder: random ones, generated once and kept in `<folder>/secrets.json`, readable by the owner only. If
 * several processes start at once, all use those of the first.
 *
 * @throws {DevelopmentError} if the file can't be read or written, or holds something else
 */
export async function developmentSecrets(folder: string): Promise<DevelopmentSecrets> {
  const file = secretsFile(folder)
  return (await readSecrets(file)) ?? (await makeSecrets(folder, file))
}

async function readSecrets(file: string): Promise<DevelopmentSecrets | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw new DevelopmentError(`The development secrets in ${file} can't be read (${reason(error)}).`, {
      cause: error
    })
  }
  return parseSecrets(text, file)
}

function parseSecrets(text: string, file: string): DevelopmentSecrets {
  try {
    const kept = JSON.parse(text) as Partial<Record<string, unknown>>
    const { accessToken, refreshToken, factor } = kept
    if (isSecret(accessToken) && isSecret(refreshToken)) {
      return { accessToken, refreshToken, factor: isSecret(factor) ? factor : addFactor(kept, file) }
    }
  } catch (error) {
    if (error instanceof DevelopmentError) throw error
    // not JSON: the sentence below says what to do
  }
  throw new DevelopmentError(
    `${file} does not hold two secrets. Remove it, and new ones are made; who is signed in has to sign in again.`
  )
}

/** Files from before there were factors hold two. */
function addFactor(kept: object, file: string): string {
  const factor = randomSecret()
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    writeFileSync(draft, `${JSON.stringify({ ...kept, factor }, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
    renameSync(draft, file)
    return factor
  } catch (error) {
    throw new DevelopmentError(`The development secrets can't be kept in ${file} (${reason(error)}).`, {
      cause: error
    })
  }
}

function isSecret(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 32
}

/** Links a complete file into place, which is atomic and never replaces the file of another process. */
async function makeSecrets(folder: string, file: string): Promise<DevelopmentSecrets> {
  const secrets = { accessToken: randomSecret(), refreshToken: randomSecret(), factor: randomSecret() }
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(draft, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
    await link(draft, file)
    return secrets
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return parseSecrets(await readFile(file, 'utf8'), file)
    throw new DevelopmentError(`The development secrets can't be kept in ${file} (${reason(error)}).`, {
      cause: error
    })
  } finally {
    await rm(draft, { force: true })
  }
}

function randomSecret(): string {
  return randomBytes(length).toString('base64url')
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
