import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Settings } from './app.js'
import { programArgs } from './program.js'

/** A service in a process of its own, and what it costs that process to serve. */
export interface MeasuredApp {
  address: string
  /** For how long the event loop was held at most while this was done, ms. */
  longestHold(work: () => Promise<unknown>): Promise<number>
  /** What the process has resident after a garbage collection, MiB. */
  resident(): Promise<number>
  /** How many sockets there are. */
  sockets(): Promise<number>
  /** Has the service send all sockets an event with so many bytes of data. */
  broadcast(bytes: number): Promise<void>
  stop(): Promise<void>
}

/** What the process answers to each order. */
export interface Figures {
  hold: number
  resident: number
  sockets: number
}

export type Order = 'reset' | 'report' | 'collect' | 'stop' | { broadcast: number }

/** Starts the whole service in a process of its own. */
export async function startMeasured(settings: Settings = {}): Promise<MeasuredApp> {
  const args = ['--expose-gc', ...programArgs('test/support/measured-service.ts'), JSON.stringify(settings)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const [{ address }] = (await once(child, 'message')) as [{ address: string }]
  const ask = async (order: Order): Promise<Figures> => {
    child.send(order)

    const [figures] = (await once(child, 'message')) as [Figures]

    return figures
  }

  return {
    address,
    async longestHold(work) {
      await ask('reset')
      await work()

      return (await ask('report')).hold
    },
    resident: async () => (await ask('collect')).resident,
    sockets: async () => (await ask('report')).sockets,
    async broadcast(bytes) {
      await ask({ broadcast: bytes })
    },
    async stop() {
      child.send('stop')
      await once(child, 'exit')
    }
  }
}
