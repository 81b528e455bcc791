import { readdirSync, readFileSync } from 'node:fs'
import { setMaxListeners } from 'node:events'

/** Aborts when the run is interrupted: by Ctrl-C, by the end of its terminal, or by that of whoever reads its output. */
export function interruptionOf(run: NodeJS.Process): AbortSignal {
  const interruption = new AbortController()
  const interrupt = () => interruption.abort()

  setMaxListeners(0, interruption.signal) // each test listens to it
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) run.on(signal, interrupt)
  run.stdout.on('error', interrupt)
  return interruption.signal
}

/**
 * Ends processes with all that they started. They stand still first, so that none starts another unseen. Linux only:
 * elsewhere what they started is not known.
 */
export function endAll(processes: number[]): void {
  const stopped = new Set<number>()

  for (let found = processes; found.length > 0; found = [...stopped].flatMap(childrenOf)) {
    found = found.filter((id) => !stopped.has(id))
    if (found.length === 0) break
    for (const id of found) {
      signal(id, 'SIGSTOP')
      stopped.add(id)
    }
  }
  for (const id of stopped) signal(id, 'SIGKILL')
}

/** The processes that a process started. */
export function childrenOf(id: number): number[] {
  try {
    return readdirSync(`/proc/${id}/task`)
      .flatMap((task) => readFileSync(`/proc/${id}/task/${task}/children`, 'utf8').split(' '))
      .filter(Boolean)
      .map(Number)
  } catch {
    return [] // it has ended, or this is no Linux
  }
}

function signal(id: number, name: NodeJS.Signals): void {
  try {
    process.kill(id, name)
  } catch {
    // it has ended
  }
}
