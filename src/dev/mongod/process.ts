import { spawn, type ChildProcess } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { nameFor } from './orphan.js'

/** A mongod that this process started, and that accepts connections. */
export interface MongodProcess {
  pid: number
  port: number
  /** Resolves when it has ended, for any reason. */
  exited: Promise<void>
  /** Rejects when it has ended; to be raced against work that needs it. */
  failed: Promise<never>
  /** Stops it cleanly, or kills it if that takes too long. */
  stop(): Promise<void>
}

type Failure = 'port taken' | 'folder in use' | 'other version' | 'other'

/** A mongod that ended before it was ready. */
export class LaunchError extends Error {
  readonly kind: Failure

  constructor(kind: Failure, message: string) {
    super(message)
    this.kind = kind
  }
}

interface LaunchOptions {
  binary: string
  dbPath: string
  logFile: string
  port: number
  /** Set if clients need a password. */
  keyFile?: string
  /** False only for repairs before the replica set can start. */
  replicaSet?: boolean
}

export const replicaSet = 'moult' // its name
const gentle = 20_000 // ms: stopping takes about one second, longer with a lot to write

/**
 * Starts a mongod and waits until it accepts connections.
 *
 * @throws {LaunchError} when it ends before that
 */
export async function launchMongod(options: LaunchOptions): Promise<MongodProcess> {
  const child = await spawnMongod(options)
  const exited = new Promise<void>((done) => {
    child.once('exit', () => done())
    child.once('error', () => done()) // it could not be started at all
  })
  const failed = exited.then(async () => Promise.reject(await failureOf(child, options.logFile)))
  failed.catch(() => {}) // for those who race against it
  endWithThisProcess(child, exited)

  await Promise.race([accepting(options.port, exited), failed])
  return { pid: child.pid!, port: options.port, exited, failed, stop: () => stop(child, exited) }
}

/** A free port of 127.0.0.1; the preferred one, if it is free. */
export async function freePort(preferred = 0): Promise<number> {
  const server = createServer()
  try {
    return await new Promise<number>((done, failed) => {
      server.once('error', failed)
      server.listen(preferred, '127.0.0.1', () => done((server.address() as AddressInfo).port))
    })
  } catch (error) {
    if (preferred === 0) throw error
    return freePort()
  } finally {
    server.close()
  }
}

async function spawnMongod(options: LaunchOptions): Promise<ChildProcess> {
  // a file rather than a pipe: while this process is paused in a debugger, a full pipe would stall mongod
  const log = await open(options.logFile, 'w', 0o600)
  try {
    return spawn(options.binary, mongodArguments(options), {
      argv0: nameFor(process.pid),
      detached: true, // in a process group of its own, so that a Ctrl-C in the terminal does not reach it
      stdio: ['ignore', log.fd, log.fd]
    })
  } finally {
    await log.close()
  }
}

function mongodArguments({ dbPath, port, ...options }: LaunchOptions): string[] {
  return [
    ...['--dbpath', dbPath, '--port', String(port), '--bind_ip', '127.0.0.1'],
    ...(options.replicaSet === false ? [] : ['--replSet', replicaSet]),
    ...(options.keyFile === undefined ? [] : ['--keyFile', options.keyFile]),
    // small: at most 250 MB of cache instead of half the memory, and a journal that isn't allocated in steps of 100 MB
    ...['--wiredTigerCacheSizeGB', '0.25', '--oplogSize', '128'],
    ...['--wiredTigerEngineConfigString', 'log=(file_max=16MB,prealloc=false)'],
    ...['--setParameter', 'diagnosticDataCollectionEnabled=false'],
    // a socket left in /tmp by another user would keep it from starting
    ...(process.platform === 'win32' ? [] : ['--nounixsocket'])
  ]
}

/**
 * Ends the mongod if this process is killed. A watcher process waits for the end of its input, a pipe that only this
 * process holds and that closes at once, however this process ends.
 */
function endWithThisProcess(mongod: ChildProcess, exited: Promise<void>): void {
  const [command, args] =
    process.platform === 'win32'
      ? [process.execPath, ['-e', "process.stdin.on('end', () => process.kill(+process.argv[1])).resume()"]]
      : ['sh', ['-c', 'read -r line; kill "$0"']]
  const watcher = spawn(command, [...args, String(mongod.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore']
  })
  watcher.on('error', () => {}) // without a watcher, the next start ends the orphan
  void exited.then(() => watcher.kill('SIGKILL')) // the process id may soon be reused
}

async function stop(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const hard = setTimeout(() => child.kill('SIGKILL'), gentle)
  await exited
  clearTimeout(hard)
}

async function accepting(port: number, exited: Promise<void>): Promise<void> {
  let ended = false
  void exited.then(() => (ended = true))
  while (!ended && !(await accepts(port))) await sleep(20)
}

function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise<boolean>((done) => {
    socket.once('connect', () => done(true))
    socket.once('error', () => done(false))
  }).finally(() => socket.destroy())
}

/** Reads from the log why a mongod ended. */
async function failureOf(child: ChildProcess, logFile: string): Promise<LaunchError> {
  const lines = (await readFile(logFile, 'utf8').catch(() => '')).trimEnd().split('\n')
  const log = lines.join('\n')
  const ended = `it ended with ${child.signalCode ?? `exit code ${child.exitCode}`}`

  if (/address already in use/i.test(log)) return new LaunchError('port taken', ended)
  if (/DBPathInUse/.test(log)) return new LaunchError('folder in use', ended)
  if (/upgrade or downgrade|UPGRADE PROBLEM|Wrong mongod version/i.test(log))
    return new LaunchError('other version', ended)
  return new LaunchError('other', lastComplaint(lines) ?? ended)
}

/** mongod logs JSON lines, `s` being the severity; the dynamic linker writes plain ones. */
function lastComplaint(lines: string[]): string | undefined {
  const line =
    lines.findLast((text) => /"s":"[EF]"/.test(text)) ?? lines.findLast((text) => !text.startsWith('{'))
  if (!line?.startsWith('{')) return line || undefined
  const { msg, attr } = JSON.parse(line) as { msg: string; attr?: { error?: unknown } }
  return attr?.error
    ? `${msg}: ${typeof attr.error === 'string' ? attr.error : JSON.stringify(attr.error)}`
    : msg
}
