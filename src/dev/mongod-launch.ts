import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DevelopmentError, reason } from './development-error.js'
import { endOrphan } from './mongod-orphan.js'
import { readRecord, urlOf, writeRecord, type MongodRecord, type Place } from './mongod-place.js'
import { freePort, launchMongod, LaunchError, type MongodProcess } from './mongod-process.js'
import type { MongodBinary } from './mongod-version.js'
import { becomePrimary, changeAddress } from './replica-set.js'

const patience = 30_000 // ms: that a killed service's mongod may take to let go of the folder
const pause = 250 // ms between two attempts to start

/**
 * Starts the mongod, on the port of its last run or another free one, and waits until it can be written to.
 * With `onlyPort` no other will do, since a service is connected to it.
 *
 * @throws {DevelopmentError}
 */
export async function launch(
  place: Place,
  binary: MongodBinary,
  log: (sentence: string) => void,
  onlyPort?: number
): Promise<MongodProcess> {
  const deadline = Date.now() + patience
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
  const options = { ...place, binary: binary.path, port }

  if (record.port !== port && existsSync(join(place.dbPath, 'WiredTiger'))) {
    await writeRecord(place, { ...record, port: undefined }) // killed in between, the next start does it again
    const repaired = await launchMongod({ ...options, replicaSet: false })
    try {
      await changeAddress(repaired, place.dbPath)
    } finally {
      await repaired.stop()
    }
    await writeRecord(place, { version, port })
  }

  const mongod = await launchMongod(options)
  try {
    await becomePrimary(mongod, place.dbPath)
  } catch (error) {
    await mongod.stop()
    throw error
  }
  await writeRecord(place, { version, port, url: urlOf(port), pid: mongod.pid })
  return mongod
}

/** Whether the next attempt may do better. */
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
