import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DevelopmentError } from './development-error.js'

interface Process {
  parent: number // process id
  command: string // its name and arguments
}

const gentle = 20_000 // ms: it may have much to write before it ends
const hard = 5000 // ms: the system needs a moment to tidy up after a kill

/** The name a mongod gets in the process table: it says which process started it. */
export function nameFor(owner: number): string {
  return `mongod of ${owner}`
}

/**
 * Ends the mongod that a killed service left on this folder, if there is one.
 *
 * The folder's own mongod.lock names a process. That is a mongod of ours only if its command line says so, and
 * left behind only if its parent is not the process that started it any more: the system gives an orphan
 * another parent, so neither a process id that is used again nor a start that is under way can mislead.
 *
 * @throws {DevelopmentError} when a living service, or a mongod that is not ours, uses the folder
 */
export async function endOrphan(dbPath: string, log: (sentence: string) => void): Promise<void> {
  const pid = await lockHolder(dbPath)
  const holder = pid && (await inspect(pid))
  if (!holder || !holder.command.includes(`--dbpath ${dbPath} `)) return

  const owner = Number(/^mongod of (\d+) /.exec(holder.command)?.[1])
  if (holder.parent === owner) {
    throw new DevelopmentError(
      `Another service (process ${owner}) uses the database in ${dbPath}: stop it, or set MONGODB_URL for both.`
    )
  }
  if (!owner) {
    throw new DevelopmentError(
      `Another mongod (process ${pid}) uses ${dbPath}: stop it, or set MONGODB_URL to use it.`
    )
  }
  log(`Ending the MongoDB that a killed service left behind (process ${pid})`)
  await end(pid, holder.command)
}

async function lockHolder(dbPath: string): Promise<number> {
  return Number(await readFile(join(dbPath, 'mongod.lock'), 'utf8').catch(() => 0))
}

async function end(pid: number, command: string): Promise<void> {
  for (const [signal, time] of [
    ['SIGTERM', gentle],
    ['SIGKILL', hard]
  ] as const) {
    const deadline = Date.now() + time
    if ((await inspect(pid))?.command === command) process.kill(pid, signal)
    while (Date.now() < deadline) {
      if ((await inspect(pid))?.command !== command) return
      await sleep(50)
    }
  }
}

/** Looks a process up. Undefined when there is none; on Windows always, where mongod's lock has to do. */
async function inspect(pid: number): Promise<Process | undefined> {
  try {
    if (process.platform === 'linux') return await fromProc(pid)
    if (process.platform === 'win32') return undefined
    return await fromPs(pid)
  } catch {
    return undefined
  }
}

async function fromProc(pid: number): Promise<Process> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8')
  return { parent: Number(/^PPid:\s*(\d+)/m.exec(status)?.[1]), command: command.replaceAll('\0', ' ') }
}

async function fromPs(pid: number): Promise<Process> {
  const { stdout } = await promisify(execFile)('ps', [
    '-ww',
    '-o',
    'ppid=',
    '-o',
    'command=',
    '-p',
    String(pid)
  ])
  const [, parent, command] = /^\s*(\d+)\s+(.*?)\s*$/.exec(stdout) ?? []
  return { parent: Number(parent), command: `${command} ` }
}
