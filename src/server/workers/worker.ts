import { rmSync } from 'node:fs'
import { createApp } from '../../app.js'
import { createLogger } from '../../logger.js'
import { startServer } from '../start.js'
import { stopOnSignals } from '../signals.js'
import { loaded, toFailure, type FromWorker, type Start } from './messages.js'
import { shareMetrics } from './metrics.js'
import { shareSockets } from './socket-forwarding.js'

// One of several processes that serve at one address. node:cluster ends it when the primary ends.

async function start({ settings, pipes, slot }: Start): Promise<void> {
  const app = createApp(settings, { logger: createLogger() })

  app.configure(shareSockets(pipes))
  app.configure(shareMetrics(slot))
  process.once('exit', () => {
    // The primary was killed and can't do it
    if (!process.connected) rmSync(pipes, { recursive: true, force: true })
  })

  const server = await startServer(app)

  stopOnSignals(() => server.stop())
  send({ address: server.address })
}

function send(message: FromWorker, sent?: () => void): void {
  process.send!(message, undefined, undefined, sent)
}

process.once('message', (message: Start) => {
  start(message).catch((error: unknown) => send(toFailure(error), () => process.exit(1)))
})

// A message that is sent before this module is loaded would be lost
send(loaded)
