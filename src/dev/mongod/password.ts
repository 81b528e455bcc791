import { randomBytes } from 'node:crypto'
import { chmod, link, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

const length = 32 // bytes

/**
 * The password that clients of a mongod need. The first start generates it, and keeps it beside the data in a file and
 * a folder that only their owner can read. mongod also uses the file as the key file of its replica set.
 */
export async function passwordIn(file: string): Promise<string> {
  const draft = `${file}.${process.pid}`

  await chmod(dirname(file), 0o700)

  try {
    await writeFile(draft, randomBytes(length).toString('hex'), { mode: 0o600 })
    await link(draft, file) // atomic, and never replaces the file of another process
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error
    }
  } finally {
    await rm(draft, { force: true })
  }

  return readFile(file, 'utf8')
}
