import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { MongoClient, type Db } from 'mongodb'
import { programArgs } from './program.js'

const program = 'test/support/mongod-owner.ts'

/** A process that has started the mongod of a folder, or failed to. */
export interface MongodOwner {
  pid: number
  url: string | undefined
  error: string | undefined
  /** What it said so far, a sentence each. */
  sentences: string[]
  /** Sends a signal and waits for its end. To its whole process group, as a terminal does, with `group`. */
  end(signal: NodeJS.Signals, group?: 'group'): Promise<void>
}

/** Starts a process that runs the mongod of `folder`, and waits until that is ready or has failed. */
export async function startOwner(folder: string, env = process.env): Promise<MongodOwner> {
  const child = spawn(process.execPath, [...programArgs(program), folder], {
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'] // it ends when its input does, with this process
  })
  const exited = new Promise<void>((done) => child.once('close', () => done()))
  const pid = child.pid!
  const sentences: string[] = []

  const outcome = await new Promise<{ url?: string; error?: string }>((done) => {
    createInterface(child.stdout).on('line', (text) => {
      const line = JSON.parse(text) as { sentence?: string; url?: string; error?: string }

      if (line.sentence) {
        sentences.push(line.sentence)
      } else {
        done(line)
      }
    })
    void exited.then(() => done({ error: 'It said nothing and ended' }))
  })

  return {
    pid,
    url: outcome.url,
    error: outcome.error,
    sentences,
    async end(signal, group) {
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(group ? -pid : pid, signal)
      }
      await exited
    }
  }
}

/** Works with the database of an owner. */
export async function withDatabase<T>(
  { url }: { url: string | undefined },
  work: (db: Db, client: MongoClient) => Promise<T>
): Promise<T> {
  const client = new MongoClient(url!, { serverSelectionTimeoutMS: 5000 })

  try {
    return await work(client.db(), client)
  } finally {
    await client.close()
  }
}

/** The id of the mongod that holds a folder, going by its lock; 0 when none does. */
export async function mongodOf(folder: string): Promise<number> {
  return Number(await readFile(join(folder, 'mongodb', 'mongod.lock'), 'utf8').catch(() => 0))
}

export function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch {
    return false
  }
}

/** The processes that a process started. Linux only. */
export async function childrenOf(pid: number): Promise<number[]> {
  const tasks = await readdir(`/proc/${pid}/task`)
  const lists = await Promise.all(tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8')))

  return lists.join(' ').split(' ').filter(Boolean).map(Number)
}
