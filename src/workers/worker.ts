import { rmSync } from 'node:fs'
import { createApp } from '../app.js'
import { createLogger } from '../logger.js'
import { startServer } from '../server.js'
import { stopOnSignals } from '../signals.js'
import { loaded, toFailure, type FromWorker, type Start } from './messages.js'
import { shareMetrics } from './metrics.js'
import { shareSockets } from './socket-owner.js'

// One of several processes that serve at one address. It ends by itself when the primary does: node:cluster sees to that.

async function start({ settings, pipes, slot }: Start): Promise<void> {
  const app = createApp(settings, { logger: createLogger() })

  app.configure(shareSockets(pipes))
  app.configure(shareMetrics(slot))
  process.once('exit', () => {
    // The primary was killed: nobody else does it
    if (!process.connected) rmSync(pipes, { recursive: true, force: true })
  })

  const server = await startServer(app)

  stopOnSignals(() => server.stop())
  tell({ address: server.address })
}

function tell(message: FromWorker, told?: () => void): void {
  process.send!(message, undefined, undefined, told)
}

process.once('message', (message: Start) => {
  start(message).catch((error: unknown) => tell(toFailure(error), () => process.exit(1)))
})

// What is sent before this module is loaded would be lost
tell(loaded)
