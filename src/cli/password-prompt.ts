import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { CommandError } from './answer.js'

/**
 * A new password: asked for on a terminal, twice and without showing it, else the one line of standard input. Never an
 * argument, which other users of the machine could read, and the shell keeps.
 *
 * @throws CommandError
 */
export async function readPassword(): Promise<string> {
  return process.stdin.isTTY ? askTwice() : readLine()
}

async function askTwice(): Promise<string> {
  const password = await ask('New password: ')

  if ((await ask('Once more: ')) !== password) {
    throw new CommandError('The two are not the same: nothing was changed')
  }

  return password
}

async function ask(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const interruption = new AbortController()
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 })

  terminal.once('SIGINT', () => interruption.abort())
  terminal.once('close', () => interruption.abort()) // Ctrl-D
  process.stderr.write(question)

  try {
    return await terminal.question('', { signal: interruption.signal })
  } catch {
    throw new CommandError('Interrupted: nothing was changed')
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}

async function readLine(): Promise<string> {
  const [password, ...more] = decoded(await buffer(process.stdin)).split(/\r?\n/)

  if (!password) {
    throw new CommandError('There is no password on standard input: write it there, in one line')
  }
  if (more.some((line) => line !== '')) {
    throw new CommandError('There is more than one line on standard input: write the password alone')
  }

  return password
}

function decoded(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new CommandError('What came on standard input is no UTF-8')
  }
}
