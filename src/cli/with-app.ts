import { Unavailable } from '@feathersjs/errors'
import type { Configuration } from '../configuration.js'
import type { Application } from '../declarations.js'
import { runningMongod, startMongod } from '../dev/mongod.js'
import { createLogger, type Logger } from '../logger.js'
import { loadSettings } from '../settings/load.js'
import { CommandError } from './answer.js'
import { existingManifest } from './manifest.js'

/**
 * Works with the service's app, on the configured database or the embedded one, whether or not that is running. The app
 * doesn't listen, but running services notice its changes.
 */
export async function withApp<T>(work: (app: Application) => Promise<T>): Promise<T> {
  if (existingManifest()) {
    throw new CommandError(
      'This command needs a Moult service: users and events of this app are managed by the app itself'
    )
  }

  const settings = await loadSettings()

  return withMongodb(settings, async (mongodb) => {
    const { createApp } = await import('../app.js') // slow to load, so only when needed
    const app = createApp({ ...settings, mongodb }, { logger: errorLog() })
    const database = app.get('database')

    try {
      await database.prepare()
      return await work(app)
    } catch (error) {
      throw error instanceof Unavailable
        ? new CommandError(
            `The database can not be reached (${database.unreachable}): \`moult check\` says what to do`
          )
        : error
    } finally {
      // Waits until the reasons of ended sessions are stored for other processes
      await app.service('authentication').teardown()
      await database.close()
    }
  })
}

/** Works with the configured MongoDB, or with the embedded one, which is started unless it is running. */
export async function withMongodb<T>(
  { mongodb, data: folder }: Configuration,
  work: (url: string) => Promise<T>
): Promise<T> {
  const url = mongodb ?? (await runningMongod(folder!))

  if (url) {
    return work(url)
  }

  const mongod = await startMongod({
    folder: folder!,
    hasPassword: process.env.NODE_ENV === 'production',
    log: (sentence) => console.error(sentence)
  })

  try {
    return await work(mongod.url)
  } finally {
    await mongod.stop()
  }
}

/** Logs bugs to standard error. The command itself reports a database that can't be reached. */
export function errorLog(): Logger {
  const logger = createLogger(process.env.NODE_ENV, process.stderr)

  logger.level = 'error'
  return logger
}
