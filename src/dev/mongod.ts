import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DevelopmentError, reason } from './development-error.js'
import { findMongod } from './mongod-binary.js'
import { endOrphan } from './mongod-orphan.js'
import { freePort, launchMongod, LaunchError, type MongodProcess } from './mongod-process.js'
import type { MongodBinary } from './mongod-version.js'
import { becomePrimary, isMongodOf } from './replica-set.js'

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

/** What `mongod.json` says: the port of the last run, and while it runs where to find it. */
interface MongodRecord {
  port?: number
  url?: string
  pid?: number
  version?: string
}

interface Place {
  dbPath: string
  logFile: string
  recordFile: string
}

const patience = 30_000 // ms: that a killed service's mongod may take to let go of the folder
const pause = 250 // ms between two attempts to start

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

  const supervision = (async () => {
    for (;;) {
      await mongod.exited
      if (stopping) return
      log('MongoDB ended unexpectedly; starting it again')
      mongod = await launch(place, binary, log, mongod.port)
      if (stopping) await mongod.stop()
    }
  })().catch((error: unknown) => log(reason(error)))

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
 * the file may tell of one that was killed.
 */
export async function runningMongod(folder: string): Promise<string | null> {
  const place = await makePlace(folder)
  const { url, port } = await readRecord(place)
  return url && port && (await isMongodOf(place.dbPath, port)) ? url : null
}

async function makePlace(folder: string): Promise<Place> {
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

/**
 * Starts the mongod, on the port of its last run or another free one, and waits until it can be written to.
 * With `onlyPort` no other will do, since a service is connected to it.
 */
async function launch(
  place: Place,
  binary: MongodBinary,
  log: (sentence: string) => void,
  onlyPort?: number
): Promise<MongodProcess> {
  const record = await readRecord(place)
  const deadline = Date.now() + patience

  for (;;) {
    await endOrphan(place.dbPath, log)
    const port = onlyPort ?? (await freePort(record.port))
    try {
      const mongod = await launchMongod({ ...place, binary: binary.path, port })
      await becomePrimary(mongod, place.dbPath)
      await writeRecord(place, { port, url: urlOf(port), pid: mongod.pid, version: binary.version })
      return mongod
    } catch (error) {
      const passes =
        error instanceof LaunchError && (error.kind === 'port taken' || error.kind === 'folder in use')
      if (!passes || Date.now() > deadline) throw explained(error, place, binary, record)
    }
    await sleep(pause)
  }
}

function explained(
  error: unknown,
  place: Place,
  binary: MongodBinary,
  record: MongodRecord
): DevelopmentError {
  const kind = error instanceof LaunchError ? error.kind : undefined
  if (error instanceof DevelopmentError) return error
  if (kind === 'folder in use') {
    return new DevelopmentError(
      `Another mongod uses ${place.dbPath}: stop it, or set MONGODB_URL to use one that runs.`,
      { cause: error }
    )
  }
  if (kind === 'other version') {
    return new DevelopmentError(
      `The data in ${place.dbPath}, written by MongoDB ${record.version ?? 'of another version'}, can't be opened by MongoDB ${binary.version}: put a mongod that can on the PATH, or move the folder away to start empty.`,
      { cause: error }
    )
  }
  return new DevelopmentError(
    `MongoDB ${binary.version} (${binary.path}) did not start: ${reason(error)}; see ${place.logFile}, or set MONGODB_URL to use another.`,
    { cause: error }
  )
}

function urlOf(port: number): string {
  return `mongodb://127.0.0.1:${port}/moult?replicaSet=moult`
}

async function readRecord(place: Place): Promise<MongodRecord> {
  try {
    return JSON.parse(await readFile(place.recordFile, 'utf8')) as MongodRecord
  } catch {
    return {} // the first start, or a damaged file: it holds nothing that can't be found out again
  }
}

async function writeRecord(place: Place, record: MongodRecord): Promise<void> {
  const draft = `${place.recordFile}.${process.pid}`
  try {
    await writeFile(draft, `${JSON.stringify(record)}\n`, { mode: 0o600 })
    await rename(draft, place.recordFile)
  } finally {
    await rm(draft, { force: true })
  }
}
