import { createApp } from './app.js'
import { startMongod } from './dev/mongod.js'
import { createLogger } from './logger.js'
import { ConfigurationError } from './refresh-token/index.js'
import { startServer } from './server.js'
import { loadSettings } from './settings.js'

const logger = createLogger()

/** Starts the service, with a MongoDB of its own where none is configured. Returns how to stop both. */
async function start(): Promise<() => Promise<void>> {
  const settings = await loadSettings()
  const log = (sentence: string) => logger.info(sentence)
  const mongod = settings.mongodb ? undefined : await startMongod({ folder: settings.data, log })

  try {
    const app = createApp({ ...settings, mongodb: settings.mongodb ?? mongod!.url }, { logger })
    const server = await startServer(app)

    logger.info(`Moult listens on ${server.address}`)

    return async () => {
      await server.stop()
      await mongod?.stop()
    }
  } catch (error) {
    await mongod?.stop()
    throw error
  }
}

function stopOn(signal: NodeJS.Signals, stop: () => Promise<void>): void {
  process.once(signal, async () => {
    await stop()
    logger.info('Moult has stopped')
    process.exit()
  })
}

try {
  const stop = await start()

  stopOn('SIGTERM', stop)
  stopOn('SIGINT', stop)
} catch (error) {
  const expected = error instanceof ConfigurationError || !(error instanceof Error)

  // One sentence for a wrong setting, which says what to do; the stack for what is our fault
  console.error(expected ? String((error as Error)?.message ?? error) : error)
  process.exit(1)
}
