import { createApp } from './app.js'
import { DevelopmentError } from './dev/development-error.js'
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

async function stopAndExit(stop: () => Promise<void>): Promise<never> {
  await stop()
  logger.info('Moult has stopped')
  process.exit()
}

try {
  const stop = await start()
  let stopping: Promise<never> | undefined

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    // A Ctrl-C comes twice, from the terminal and from npm
    process.on(signal, () => void (stopping ??= stopAndExit(stop)))
  }
} catch (error) {
  const expected = error instanceof ConfigurationError || error instanceof DevelopmentError

  // One sentence for what the user can mend, which says how; the stack for what is our fault
  console.error(expected ? error.message : error)
  process.exit(1)
}
