import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DevelopmentError, reason } from './development-error.js'
import { replicaSet } from './mongod-process.js'

/** Where a mongod keeps what; absolute paths. */
export interface Place {
  dbPath: string
  logFile: string
  recordFile: string
}

/** What is known of the last run. */
export interface MongodRecord {
  /** The one that the configuration in the data names; missing when that is not certain. */
  port?: number | undefined
  /** The last MongoDB that opened the data, as in '6.0.5'. */
  version?: string | undefined
  /** While it runs. */
  url?: string
  pid?: number
}

/** @throws {DevelopmentError} when the folder can't be made */
export async function makePlace(folder: string): Promise<Place> {
  try {
    await mkdir(join(folder, 'mongodb'), { recursive: true })
    const absolute = await realpath(folder)
    return {
      dbPath: join(absolute, 'mongodb'),
      logFile: join(absolute, 'mongod.log'),
      recordFile: join(absolute, 'mongod.json')
    }
  } catch (error) {
    throw new DevelopmentError(`The folder ${folder} can't hold a database (${reason(error)}).`, {
      cause: error
    })
  }
}

export function urlOf(port: number): string {
  return `mongodb://127.0.0.1:${port}/moult?replicaSet=${replicaSet}`
}

export async function readRecord(place: Place): Promise<MongodRecord> {
  try {
    return JSON.parse(await readFile(place.recordFile, 'utf8')) as MongodRecord
  } catch {
    return {} // the first start, or a damaged file: it holds nothing that can't be found out again
  }
}

export async function writeRecord(place: Place, record: MongodRecord): Promise<void> {
  const draft = `${place.recordFile}.${process.pid}`
  try {
    await writeFile(draft, `${JSON.stringify(record)}\n`, { mode: 0o600 })
    await rename(draft, place.recordFile)
  } finally {
    await rm(draft, { force: true })
  }
}
