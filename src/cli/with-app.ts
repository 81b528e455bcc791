import { Unavailable } from '@feathersjs/errors'
import type { Configuration } from '../configuration.js'
import type { Application } from '../declarations.js'
import { runningMongod, startMongod } from '../dev/mongod.js'
import { createLogger, type Logger } from '../logger.js'
import { loadSettings } from '../settings.js'
import { CommandError } from './answer.js'
import { existingManifest } from './manifest.js'

/**
 * Works with the service's app, on its database: the configured one, or the embedded one, running or not. The app
 * listens nowhere; what is done by its services is felt by those that run.
 */
export async function withApp<T>(work: (app: Application) => Promise<T>): Promise<T> {
  if (existingManifest()) {
    throw new CommandError('The users of this app are looked after by the app itself')
  }

  const settings = await loadSettings()

  return withMongodb(settings, async (mongodb) => {
    const { createApp } = await import('../app.js') // the most of what a command loads: only now
    const app = createApp({ ...settings, mongodb }, { logger: errorLog() })
    const database = app.get('database')

    try {
      await database.prepare()
      return await work(app)
    } catch (error) {
      throw error instanceof Unavailable
        ? new CommandError(`${error.message}: \`moult check\` says why`)
        : error
    } finally {
      // Why sessions ended is noted for the other processes
      await app.service('authentication').teardown()
      await database.close()
    }
  })
}

/** Works with the configured MongoDB, or with the embedded one: it is started where it does not run. */
export async function withMongodb<T>(
  { mongodb, data: folder }: Configuration,
  work: (url: string) => Promise<T>
): Promise<T> {
  const url = mongodb ?? (await runningMongod(folder))

  if (url) {
    return work(url)
  }

  const mongod = await startMongod({ folder, log: (sentence) => console.error(sentence) })

  try {
    return await work(mongod.url)
  } finally {
    await mongod.stop()
  }
}

/** What is our fault, on standard error. That the database is away is told by the command. */
export function errorLog(): Logger {
  const logger = createLogger(process.env.NODE_ENV, process.stderr)

  logger.level = 'error'
  return logger
}
