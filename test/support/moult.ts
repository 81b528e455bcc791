import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { program } from '../../src/cli/moult.js'
import type { TestApp } from './app.js'
import { noteLog } from './log.js'
import { runScript, type Outcome, type ProcessOptions } from './process.js'
import { programArgs } from './program.js'
import { poll } from './socket.js'

/** `moult …` in a process of its own, on the database of a service that runs. */
export const moultOn =
  (t: TestApp) =>
  (args: string[], { env, ...options }: ProcessOptions = {}): Promise<Outcome> =>
    runScript('cli.ts', { args, env: { MONGODB_URL: t.url, NODE_ENV: 'test', ...env }, ...options })

/** A command that somebody types at a terminal; what they see of it. */
export async function moultAtTerminal(t: TestApp, args: string[]) {
  const command = [process.execPath, ...programArgs('src/cli.ts'), ...args].join(' ')
  // script(1) gives it a terminal; what it is given goes there as keys
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { ...process.env, MONGODB_URL: t.url, NODE_ENV: 'test' },
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 60_000
  })
  const ended = once(child, 'close')
  let seen = ''

  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    seen += text
    noteLog(`${child.pid}.terminal`, text)
  })

  return {
    /** Waits until it asks, then types. */
    async type(question: string, keys: string) {
      await poll(() => seen.includes(question), `the question ${question}`, 30_000)
      child.stdin.write(keys)
    },
    /** All that was seen, and the exit code. */
    async end() {
      const [code] = await ended

      return { seen, code: code as number }
    }
  }
}

const ofAll = ['--help', '--version'] // options that commander answers itself

/** Whether a command line has such a command, with such options and so many arguments. */
export function isMoultCall(call: string[]): boolean {
  const words = call.filter((word) => !ofAll.includes(word))
  const [group, name, ...rest] = words
  const outer = program().commands.find((command) => command.name() === group)
  const inner = outer?.commands.find((command) => command.name() === name)
  const command = inner ?? outer

  if (!command) {
    return words.length === 0
  }

  const { operands, unknown } = command.parseOptions(inner ? rest : words.slice(1))

  return unknown.length === 0 && operands.length <= command.registeredArguments.length
}
