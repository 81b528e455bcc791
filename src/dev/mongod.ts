import { findMongod } from './mongod/binary.js'
import { launch } from './mongod/launch.js'
import { passwordIn } from './mongod/password.js'
import { makePlace, readRecord, urlOf, writeRecord } from './mongod/place.js'
import { reason } from './development-error.js'
import { isMongodOf } from './mongod/replica-set.js'

export interface MongodOptions {
  /** Holds everything: the data in `mongodb/`, the log of the last run in `mongod.log`, its address in `mongod.json`. */
  folder: string
  /** Whether other programs of this machine need a password, which is kept in `mongod.key`. */
  hasPassword?: boolean
  /** Called with a sentence about which mongod is used, and about anything that takes time. */
  log: (sentence: string) => void
}

export interface RunningMongod {
  /** With the database `moult`. */
  url: string
  /** Stops it cleanly; the data stays in the folder. */
  stop(): Promise<void>
}

/**
 * Starts a MongoDB for a folder: a real mongod, as a replica set of one node, so that change streams and transactions
 * work. Downloads a mongod if there is none. Only this machine can reach it. It keeps its data and, if still free, its
 * port between starts. If it ends unexpectedly, it is restarted.
 *
 * It runs apart from the terminal, so Ctrl-C only reaches the service, which can use its database until it calls
 * `stop()`. If the service is killed, the mongod ends by itself.
 *
 * @throws {DevelopmentError} if no mongod can be found or fetched, another service uses the folder, or the data can't be
 *   opened
 */
export async function startMongod({ folder, hasPassword, log }: MongodOptions): Promise<RunningMongod> {
  const found = await makePlace(folder)
  const place = hasPassword ? { ...found, password: await passwordIn(found.keyFile) } : found
  const binary = await findMongod(log)
  log(`MongoDB ${binary.version} (${binary.origin}) keeps its data in ${place.dbPath}`)

  let mongod = await launch(place, binary, log)
  let stopping = false

  const supervise = async () => {
    for (;;) {
      await mongod.exited
      if (stopping) return
      log('MongoDB ended unexpectedly; starting it again')
      mongod = await launch(place, binary, log, mongod.port)
      if (stopping) await mongod.stop()
    }
  }
  const supervision = supervise().catch((error: unknown) => log(reason(error)))

  return {
    url: urlOf(mongod.port, place.password),
    async stop() {
      stopping = true
      await mongod.stop()
      await supervision
      await writeRecord(place, { port: mongod.port, version: binary.version })
    }
  }
}

/**
 * The URL of the mongod that is running for this folder, or null. Asks the mongod itself, since the record may be of one
 * that was killed.
 */
export async function runningMongod(folder: string): Promise<string | null> {
  const place = await makePlace(folder)
  const { url } = await readRecord(place)
  return url && (await isMongodOf(place.dbPath, url)) ? url : null
}
