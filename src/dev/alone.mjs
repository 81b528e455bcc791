import { linkSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const heartbeat = 1000 // ms: how often the holder touches the lock file
const abandoned = 10_000 // ms without a heartbeat: the holder was killed

/**
 * Runs `work` in one process at a time, of those that use the same lock file.
 *
 * The lock is held while its holder touches it. Its process id would not do: ids are reused, and mean nothing in
 * another container that shares the folder.
 *
 * @param {string} lockFile absolute path
 * @param {() => Promise<void>} work
 */
export async function alone(lockFile, work) {
  for (let waits = false; !acquire(lockFile); waits = true) {
    if (!waits) console.error('Waiting for another process that prepares this folder …')
    await sleep(200)
  }
  const release = () => rmSync(lockFile, { force: true })
  const beat = setInterval(() => touch(lockFile), heartbeat)
  process.once('exit', release)
  try {
    await work()
  } finally {
    clearInterval(beat)
    process.off('exit', release)
    release()
  }
}

function acquire(lockFile) {
  if (isAbandoned(lockFile)) removeAbandoned(lockFile)
  try {
    writeFileSync(lockFile, `${process.pid}\n`, { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

function isAbandoned(lockFile) {
  const held = statSync(lockFile, { throwIfNoEntry: false })
  return held !== undefined && Date.now() - held.mtimeMs > abandoned
}

/** Removes an abandoned lock. If several processes try, only one does: the others must not remove its new lock. */
function removeAbandoned(lockFile) {
  const removed = `${lockFile}.${process.pid}`
  try {
    renameSync(lockFile, removed)
    if (!isAbandoned(removed)) linkSync(removed, lockFile) // another process made it in the meantime: put it back
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error
  }
  rmSync(removed, { force: true })
}

function touch(file) {
  try {
    utimesSync(file, new Date(), new Date())
  } catch {
    // somebody removed it by hand: there is nothing to keep alive
  }
}
