import type { Configuration } from './configuration.js'
import { DevelopmentError } from './dev/development-error.js'
import { startMongod } from './dev/mongod.js'
import { createLogger } from './logger.js'
import { ConfigurationError } from './refresh-token/index.js'
import type { RunningServer } from './server.js'
import { loadSettings } from './settings.js'
import { stopOnSignals } from './signals.js'
import { workerCount } from './workers/messages.js'
import { startWorkers } from './workers/primary.js'

const logger = createLogger()
const load = () => [import('./app.js'), import('./server.js')] as const

/** Starts the service, with a MongoDB of its own where none is configured, which stops with it. */
async function start(): Promise<RunningServer> {
  const settings = await loadSettings()
  const count = workerCount(settings.workers)
  const log = (sentence: string) => logger.info(sentence)

  // While MongoDB starts. The primary of workers does without, and takes less memory
  if (count === 1) {
    void Promise.allSettled(load())
  }

  const mongod = settings.mongodb ? undefined : await startMongod({ folder: settings.data, log })

  try {
    const server = await serve({ ...settings, mongodb: settings.mongodb ?? mongod!.url }, count)

    return {
      address: server.address,
      async stop() {
        await server.stop()
        await mongod?.stop()
      }
    }
  } catch (error) {
    await mongod?.stop()
    throw error
  }
}

/** From this process, or from several. */
async function serve(settings: Configuration, count: number): Promise<RunningServer> {
  if (count > 1) {
    return startWorkers(settings, count, logger)
  }

  const [{ createApp }, { startServer }] = await Promise.all(load())

  return startServer(createApp(settings, { logger }))
}

try {
  const service = await start()

  stopOnSignals(async () => {
    await service.stop()
    logger.info('Moult has stopped')
  })
  logger.info(`Moult listens on ${service.address}`)
} catch (error) {
  const expected = error instanceof ConfigurationError || error instanceof DevelopmentError

  // One sentence for what the user can mend, which says how; the stack for what is our fault
  console.error(expected ? error.message : error)
  process.exit(1)
}
