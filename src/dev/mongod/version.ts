import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** A mongod that runs on this machine. */
export interface MongodBinary {
  path: string
  /** Such as '6.0.5'. */
  version: string
  /** Where it comes from, to be quoted in a sentence: 'from the PATH'. */
  origin: string
}

/** The version of a mongod; undefined if it doesn't run here. */
export async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: 20_000 })
    return /^db version v(\d+\.\d+\.\d+)/m.exec(stdout)?.[1]
  } catch {
    return undefined
  }
}
