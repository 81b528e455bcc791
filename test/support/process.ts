import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { noteLog } from './log.js'
import { programArgs } from './program.js'
import { poll } from './socket.js'

export interface Outcome {
  code: number | null
  signal: NodeJS.Signals | null
  /** Without the last line break. */
  stdout: string
  stderr: string
}

export interface TestProcess {
  pid: number
  /** Settles when it has ended. */
  outcome: Promise<Outcome>
  /** Waits for something on standard output. Fails after 30 s, and when the process ends first. */
  said(pattern: RegExp): Promise<RegExpMatchArray>
  kill(signal: NodeJS.Signals): void
}

export interface ProcessOptions {
  /** How long it may take at all, ms: it is killed then. */
  patience?: number
  args?: string[]
  /** What is on its standard input. */
  input?: string | Buffer
  /** Environment variables besides those of the test; undefined takes one away. */
  env?: Record<string, string | undefined>
}

/** Starts a script of src/ in a process of its own, as `npm run` does. */
export function startScript(
  script: string,
  { args = [], env = {}, input, patience = 60_000 }: ProcessOptions = {}
): TestProcess {
  const child = spawn(process.execPath, [...programArgs(`src/${script}`), ...args], {
    env: definedOnly({ ...process.env, NODE_CONFIG: undefined, ...env }),
    stdio: 'pipe',
    timeout: patience,
    killSignal: 'SIGKILL'
  })
  const output = { stdout: '', stderr: '' }

  child.stdin.end(input)
  let ended = false

  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      noteLog(`${child.pid}.${name}.output`, text)
    })
  }

  const outcome = once(child, 'close').then(([code, signal]) => {
    ended = true
    return { code, signal, stdout: output.stdout.trimEnd(), stderr: output.stderr.trimEnd() }
  })

  return {
    pid: child.pid!,
    outcome,
    said: async (pattern) => {
      const look = () => {
        const match = pattern.exec(output.stdout)

        if (!match && ended) {
          throw new Error(`The process ended without saying ${pattern}: ${output.stdout}${output.stderr}`)
        }

        return match
      }

      return poll(look, `${pattern} on standard output`, 30_000)
    },
    kill: (signal) => child.kill(signal)
  }
}

/** Runs a script of src/ to its end. */
export const runScript = (script: string, options?: ProcessOptions): Promise<Outcome> =>
  startScript(script, options).outcome

const definedOnly = (env: Record<string, string | undefined>) =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))

/** A port that nobody listens on, for programs that have to be told one. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0)

  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
