import { findMongod } from './mongod-binary.js'
import { launch } from './mongod-launch.js'
import { makePlace, readRecord, urlOf, writeRecord } from './mongod-place.js'
import { reason } from './development-error.js'
import { isMongodOf } from './replica-set.js'

export interface MongodOptions {
  /** Keeps all of it: the data in `mongodb/`, the last run's log in `mongod.log`, its address in `mongod.json`. */
  folder: string
  /** Hears, in a sentence each, which mongod is used and what takes time. */
  log: (sentence: string) => void
}

export interface RunningMongod {
  /** With the database name `moult`. */
  url: string
  /** Ends it cleanly; what was written stays in the folder. */
  stop(): Promise<void>
}

/**
 * Starts a MongoDB of this folder's own: a real mongod, as a replica set of one node, so that change streams
 * and transactions work. It finds or fetches the mongod. Only this machine can reach it. Data and, if it is
 * free, the port are those of the last start. Should the mongod end by itself, it is started again.
 *
 * It runs apart from the terminal: a Ctrl-C there reaches the service alone, which can use its database until
 * it has finished and calls `stop()`. When the service is killed, the mongod ends by itself.
 *
 * @throws {DevelopmentError} when there is no mongod to be had, another service uses the folder, or the data
 *   can't be opened
 */
export async function startMongod({ folder, log }: MongodOptions): Promise<RunningMongod> {
  const place = await makePlace(folder)
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
    url: urlOf(mongod.port),
    async stop() {
      stopping = true
      await mongod.stop()
      await supervision
      await writeRecord(place, { port: mongod.port, version: binary.version })
    }
  }
}

/**
 * The URL of the mongod that a service runs for this folder right now, or null: asked of the mongod itself, as
 * the record may tell of one that was killed.
 */
export async function runningMongod(folder: string): Promise<string | null> {
  const place = await makePlace(folder)
  const { url, port } = await readRecord(place)
  return url && port && (await isMongodOf(place.dbPath, port)) ? url : null
}
