import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { DevelopmentError } from '../development-error.js'

interface Process {
  parent: number // process id
  command: string // its name and arguments
}

const gentle = 20_000 // ms: it may have to write a lot before it ends
const hard = 5000 // ms for the system to clean up after a kill

/** The name of a mongod in the process table, which tells which process started it. */
export function nameFor(owner: number): string {
  return `mongod of ${owner}`
}

/**
 * Ends the mongod that a killed service left behind on this folder, if there is one.
 *
 * mongod.lock in the folder names a process. Its command line tells whether it is a mongod of ours. It is an orphan if
 * its parent is no longer the process that started it, because the system gives orphans another parent. So neither a
 * reused process id nor a start in progress is mistaken for an orphan.
 *
 * @throws {DevelopmentError} if a running service, or a mongod that is not ours, uses the folder
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

/** Undefined if there is no such process, and always on Windows, where mongod's own lock has to suffice. */
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
