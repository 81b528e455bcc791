import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { root } from './documents.js'
import { noteLog } from './log.js'
import { poll } from './socket.js'

/** A service that was started by a command in a shell. */
export interface TypedService {
  address: string
  /** All that it said. */
  output(): string
  /** Ends it as Ctrl-C does: all processes of the command. Answers the exit code. */
  stop(): Promise<number | null>
}

/** Types a command that starts the service, and waits until it listens. */
export async function startTyped(
  command: string,
  env: Record<string, string | undefined>
): Promise<TypedService> {
  const child = spawn('bash', ['-euo', 'pipefail', '-c', command], {
    cwd: root,
    env: Object.fromEntries(
      Object.entries({ ...process.env, NODE_CONFIG: undefined, ...env }).filter(
        ([, value]) => value !== undefined
      )
    ),
    detached: true, // a process group of its own, as in a terminal
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const ended = once(child, 'close')
  let output = ''

  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      noteLog(`${child.pid}.typed.output`, text)
    })
  }

  const stop = async () => {
    process.kill(-child.pid!, 'SIGINT')
    const [code] = await ended

    return code as number | null
  }
  const listens = () => {
    if (child.exitCode !== null) {
      throw new Error(`${command} has ended: ${output}`)
    }

    return /Moult listens on (http:\/\/[\w.:]+)/.exec(output)?.[1]
  }

  try {
    return { address: await poll(listens, command, 60_000), output: () => output, stop }
  } catch (error) {
    await (child.exitCode === null && stop())
    throw error
  }
}
