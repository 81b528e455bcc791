import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { CommandError } from './answer.js'

/**
 * Reads a new password: on a terminal by asking twice, without echo; otherwise the only line of standard input. Never an
 * argument, which other users of the machine could see and the shell would store.
 *
 * @throws CommandError
 */
export async function readPassword(): Promise<string> {
  return process.stdin.isTTY ? askTwice() : readLine()
}

async function askTwice(): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  // One interface for both questions: between two of them, the terminal would echo
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 })
  const lines = terminal[Symbol.asyncIterator]()

  terminal.once('SIGINT', () => terminal.close())

  try {
    const password = await ask('New password: ', lines)

    if ((await ask('Once more: ', lines)) !== password) {
      throw new CommandError('The two are not the same: nothing was changed')
    }

    return password
  } finally {
    terminal.close()
  }
}

async function ask(question: string, lines: AsyncIterator<string>): Promise<string> {
  process.stderr.write(question)

  const { value, done } = await lines.next()

  process.stderr.write('\n')

  if (done) {
    throw new CommandError('Interrupted: nothing was changed')
  }

  return value
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
    throw new CommandError('The standard input is not UTF-8')
  }
}
