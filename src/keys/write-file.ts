import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  type Stats
} from 'node:fs'
import { dirname } from 'node:path'
import { ConfigurationError } from '../refresh-token/index.js'

/**
 * The properties of a file; undefined if it doesn't exist.
 *
 * @throws ConfigurationError if it can't exist, say because its folder is a file
 */
export function existingFile(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false })
  } catch (error) {
    throw notWritable(file, error)
  }
}

/**
 * Replaces a file of secrets atomically: readers see the old content or the new. Owner and permissions stay; a new file
 * is readable by its owner only.
 *
 * @param content Called while no other process replaces the file
 * @throws ConfigurationError when it can't be written, or is being replaced by another process
 */
export function replaceFile(file: string, content: () => string): void {
  const before = existingFile(file)
  // A symbolic link stays a link
  const target = before ? realpathSync(file) : file
  const draft = `${target}.new`
  const descriptor = openDraft(draft)

  try {
    writeFileSync(descriptor, content())

    if (before) {
      keepAccess(descriptor, before)
      fsyncSync(descriptor)
      renameSync(draft, target)
    } else {
      fsyncSync(descriptor)
      linkSync(draft, target) // fails where another process has just made one
      rmSync(draft)
    }
  } catch (error) {
    rmSync(draft, { force: true })
    throw error instanceof ConfigurationError ? error : notWritable(target, error)
  } finally {
    closeSync(descriptor)
  }
}

/** The draft is the lock as well: it exists while a process replaces the file. */
function openDraft(draft: string): number {
  try {
    mkdirSync(dirname(draft), { recursive: true })

    return openSync(draft, 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new ConfigurationError(
        `${draft} already exists: another rotation is in progress, or one was interrupted; in that case, remove it`
      )
    }

    throw notWritable(draft, error)
  }
}

function keepAccess(descriptor: number, { mode, uid, gid }: Stats): void {
  const own = fstatSync(descriptor)

  if (own.uid !== uid || own.gid !== gid) {
    fchownSync(descriptor, uid, gid)
  }

  fchmodSync(descriptor, mode & 0o777)
}

function notWritable(file: string, error: unknown): ConfigurationError {
  const { code } = error as NodeJS.ErrnoException

  return new ConfigurationError(`${file} can not be written (${code}): rotate as the user who owns it`)
}
