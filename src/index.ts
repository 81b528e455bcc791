import type { Configuration } from './configuration.js'
import { DevelopmentError } from './dev/development-error.js'
import { startMongod, type RunningMongod } from './dev/mongod.js'
import { createLogger } from './logger.js'
import { ConfigurationError } from './refresh-token/index.js'
import type { RunningServer } from './server/start.js'
import { loadSettings } from './settings/load.js'
import { stopOnSignals } from './server/signals.js'
import { workerCount } from './server/workers/messages.js'
import { startWorkers } from './server/workers/primary.js'

const logger = createLogger()
const load = () => [import('./app.js'), import('./server/start.js')] as const

/** Starts the service. If no MongoDB is configured, an embedded one starts and stops with it. */
async function start(): Promise<RunningServer> {
  const settings = await loadSettings()
  const count = workerCount(settings.workers)
  const log = (sentence: string) => logger.info(sentence)

  // Loads while MongoDB starts. The primary of several workers needs neither these modules nor their memory
  if (count === 1) {
    void Promise.allSettled(load())
  }

  const mongod = settings.mongodb ? undefined : await startEmbedded(settings.data!, log)

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

function startEmbedded(folder: string, log: (sentence: string) => void): Promise<RunningMongod> {
  const isProduction = process.env.NODE_ENV === 'production'

  if (isProduction) {
    logger.warn(
      'This service keeps its data in a MongoDB of its own, on this machine only: set MONGODB_URL to a replica set'
    )
  }

  return startMongod({ folder, log, hasPassword: isProduction })
}

/** Serves from this process, or from several. */
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

  // A sentence for what the user can fix; the stack for a bug of ours
  console.error(expected ? error.message : error)
  process.exit(1)
}
