import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DevelopmentError, reason } from '../development-error.js'
import { replicaSet } from './process.js'

export const user = 'moult' // of a mongod with a password

/** The files of a mongod, with absolute paths. */
export interface Place {
  dbPath: string
  logFile: string
  recordFile: string
  keyFile: string
  /** The password that clients need, if any; it is in the key file. */
  password?: string
}

/** The record of the last run. */
export interface MongodRecord {
  /** The port in the configuration of the replica set; missing if that is uncertain. */
  port?: number | undefined
  /** The MongoDB that last opened the data, such as '6.0.5'. */
  version?: string | undefined
  /** While it runs. */
  url?: string
  pid?: number
}

/** @throws {DevelopmentError} if the folder can't be created */
export async function makePlace(folder: string): Promise<Place> {
  try {
    await mkdir(join(folder, 'mongodb'), { recursive: true })
    const absolute = await realpath(folder)
    return {
      dbPath: join(absolute, 'mongodb'),
      logFile: join(absolute, 'mongod.log'),
      recordFile: join(absolute, 'mongod.json'),
      keyFile: join(absolute, 'mongod.key')
    }
  } catch (error) {
    throw new DevelopmentError(`The folder ${folder} can't hold a database (${reason(error)}).`, {
      cause: error
    })
  }
}

/** @param password Of the user `moult`, if it has one */
export function urlOf(port: number, password?: string): string {
  return password === undefined
    ? `mongodb://127.0.0.1:${port}/moult?replicaSet=${replicaSet}`
    : `mongodb://${user}:${password}@127.0.0.1:${port}/moult?replicaSet=${replicaSet}&authSource=admin`
}

export async function readRecord(place: Place): Promise<MongodRecord> {
  try {
    return JSON.parse(await readFile(place.recordFile, 'utf8')) as MongodRecord
  } catch {
    return {} // the first start, or a damaged file, which holds nothing that can't be determined again
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
