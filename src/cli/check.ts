import type { Command } from 'commander'
import type { Configuration } from '../configuration.js'
import { DevelopmentError } from '../dev/development-error.js'
import { ConfigurationError } from '../refresh-token/index.js'
import { loadSettings } from '../settings.js'
import { CommandError, answers } from './answer.js'
import { checkDatabase } from './check-database.js'
import { checkExisting } from './check-existing.js'
import { findingsAnswer, ok, warning, wrong, type Finding } from './finding.js'
import { existingManifest } from './manifest.js'
import { errorLog, withMongodb } from './with-app.js'

/** `moult check`: whether a service would start here and do what it promises, and if not, what to do. */
export function checkCommand(program: Command): void {
  answers(
    program
      .command('check')
      .description(
        'says whether the settings and the database are as the service needs them, and how to mend them'
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
      return [mistake(error)]
    }

    throw error
  }
}

/** What only a complete app can tell: whether the strategies that are named exist, say. @throws ConfigurationError */
async function checkApp(settings: Configuration): Promise<void> {
  // An embedded MongoDB's address is known only once it runs; nothing is asked of it here
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

/** The sentence says what is wrong, and after a colon what to write instead. */
function mistake({ message }: Error): Finding {
  const [, found = message, mend = 'change that setting'] = /^(.*?): (?=[a-z])(.*)$/s.exec(message) ?? []

  return wrong('configuration', found, mend)
}
