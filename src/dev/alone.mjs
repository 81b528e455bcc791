import { rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const heartbeat = 1000 // ms: how often the one at work touches the lock file
const abandoned = 10_000 // ms without a heartbeat: the one at work was killed

/**
 * Runs `work` while no other process that names the same lock file does; the others wait their turn.
 * A heartbeat rather than a process id says that the lock is held: ids are used again, and mean nothing in
 * another container that shares the folder.
 *
 * @param {string} lockFile absolute path
 * @param {() => Promise<void>} work
 */
export async function alone(lockFile, work) {
  for (let told = false; !acquire(lockFile); told = true) {
    if (!told) console.error('Waiting for another process that prepares this folder …')
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
  const held = statSync(lockFile, { throwIfNoEntry: false })
  if (held && Date.now() - held.mtimeMs > abandoned) rmSync(lockFile, { force: true })
  try {
    writeFileSync(lockFile, `${process.pid}\n`, { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

function touch(file) {
  try {
    utimesSync(file, new Date(), new Date())
  } catch {
    // someone removed it by hand: nothing to keep alive
  }
}
