import type { Command } from 'commander'
import type { Configuration } from '../configuration.js'
import { DevelopmentError } from '../dev/development-error.js'
import { ConfigurationError } from '../refresh-token/index.js'
import { loadSettings } from '../settings/load.js'
import { CommandError, answers } from './answer.js'
import { checkDatabase } from './check/database.js'
import { checkExisting } from './check/existing-app.js'
import { findingsAnswer, mistake, ok, warning, wrong, type Finding } from './check/finding.js'
import { existingManifest } from './manifest.js'
import { errorLog, withMongodb } from './with-app.js'

/** `moult check`: says whether a service would start here and work properly, and if not, what to do. */
export function checkCommand(program: Command): void {
  answers(
    program
      .command('check')
      .description(
        'check that the settings and the database are as the service needs them, and say how to fix them'
      ),
    async () => findingsAnswer(await check())
  )
}

async function check(): Promise<Finding[]> {
  try {
    if (existingManifest()) {
      return await checkExisting()
    }

    const settings = await loadSettings()

    await checkApp(settings)
    return [configurationFinding(settings), ...(await checkMongodb(settings))]
  } catch (error) {
    if (error instanceof ConfigurationError || error instanceof CommandError) {
      return [mistake('configuration', error.message)]
    }

    throw error
  }
}

/** Checks what only a complete app can tell, such as whether the named strategies exist. @throws ConfigurationError */
async function checkApp(settings: Configuration): Promise<void> {
  // The address of an embedded MongoDB is only known once it runs; this app doesn't connect
  const { mongodb = 'mongodb://127.0.0.1/moult' } = settings
  const { createApp } = await import('../app.js')
  const app = createApp({ ...settings, mongodb }, { logger: errorLog() })

  try {
    app.service('authentication').requireRegistered()
  } finally {
    await app.get('database').close()
  }
}

function configurationFinding({ mongodb, authentication }: Configuration): Finding {
  const environment = process.env.NODE_ENV ?? 'development'
  const { keys } = authentication as { keys?: string }
  const found = `settings for ${environment}, keys from ${keys ?? 'the environment or config/'}`

  return environment === 'production' && !mongodb
    ? warning(
        'configuration',
        `${found}; the embedded MongoDB, which is for development`,
        'set MONGODB_URL to a replica set'
      )
    : ok('configuration', found)
}

async function checkMongodb(settings: Configuration): Promise<Finding[]> {
  try {
    return await withMongodb(settings, (url) => checkDatabase(url))
  } catch (error) {
    if (error instanceof DevelopmentError) {
      return [
        wrong(
          'database',
          `the embedded MongoDB: ${error.message}`,
          'do what is said there, or set MONGODB_URL'
        )
      ]
    }

    throw error
  }
}
