import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DevelopmentError, reason } from '../development-error.js'
import { endOrphan } from './orphan.js'
import { readRecord, urlOf, writeRecord, type MongodRecord, type Place } from './place.js'
import { freePort, launchMongod, LaunchError, type MongodProcess } from './process.js'
import type { MongodBinary } from './version.js'
import { becomePrimary, changeAddress } from './replica-set.js'

const releaseTimeout = 30_000 // ms for the mongod of a killed service to release the folder
const pause = 250 // ms between two attempts to start

/**
 * Starts the mongod on the port of its last run, or on another free one, and waits until it accepts writes.
 *
 * @param onlyPort The only port to use, because a service is connected to it
 *
 * @throws {DevelopmentError}
 */
export async function launch(
  place: Place,
  binary: MongodBinary,
  log: (sentence: string) => void,
  onlyPort?: number
): Promise<MongodProcess> {
  const deadline = Date.now() + releaseTimeout
  for (;;) {
    await endOrphan(place.dbPath, log)
    const record = await readRecord(place)
    try {
      return await bringUp(place, binary, record, onlyPort ?? (await freePort(record.port)))
    } catch (error) {
      if (!mayPass(error) || Date.now() > deadline) throw explained(error, place, binary, record)
    }
    await sleep(pause)
  }
}

async function bringUp(
  place: Place,
  binary: MongodBinary,
  record: MongodRecord,
  port: number
): Promise<MongodProcess> {
  const { version } = binary
  const { dbPath, logFile, keyFile, password } = place
  const options = { binary: binary.path, dbPath, logFile, port, ...(password && { keyFile }) }

  if (record.port !== port && existsSync(join(dbPath, 'WiredTiger'))) {
    await writeRecord(place, { ...record, port: undefined }) // if this process is killed in between, the next start repeats this
    const repaired = await launchMongod({ ...options, replicaSet: false })
    try {
      await changeAddress(repaired, place)
    } finally {
      await repaired.stop()
    }
    await writeRecord(place, { version, port })
  }

  const mongod = await launchMongod(options)
  try {
    await becomePrimary(mongod, place)
  } catch (error) {
    await mongod.stop()
    throw error
  }
  await writeRecord(place, { version, port, url: urlOf(port, password), pid: mongod.pid })
  return mongod
}

/** Whether another attempt may succeed. */
function mayPass(error: unknown): boolean {
  return error instanceof LaunchError && (error.kind === 'port taken' || error.kind === 'folder in use')
}

function explained(
  error: unknown,
  place: Place,
  binary: MongodBinary,
  record: MongodRecord
): DevelopmentError {
  const kind = error instanceof LaunchError ? error.kind : 'other'
  const before = record.version ?? 'of another version'
  const sentence = {
    'folder in use': `Another mongod uses ${place.dbPath}: stop it, or set MONGODB_URL to use one that runs.`,
    'other version': `The data in ${place.dbPath}, written by MongoDB ${before}, can't be opened by MongoDB ${binary.version}: put a mongod that can on the PATH, or move the folder away to start empty.`,
    'port taken': 'MongoDB can not listen on any port: set MONGODB_URL to use one that runs.',
    other: `MongoDB ${binary.version} (${binary.path}) did not start: ${reason(error)}; see ${place.logFile}, or set MONGODB_URL to use another.`
  }
  return new DevelopmentError(sentence[kind], { cause: error })
}
