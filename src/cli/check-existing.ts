import type { Db } from 'mongodb'
import { reason } from '../dev/development-error.js'
import type { NeededIndex } from '../mongodb.js'
import { endReasonsIndex } from '../refresh-token/end-reasons.js'
import { checkConnected, withoutUser } from './check-database.js'
import { usersOf, withExistingApp, type ExistingApp } from './existing-app.js'
import { ok, wrong, type Finding } from './finding.js'
import { during } from './progress.js'

const needed: NeededIndex[] = [{ ...endReasonsIndex }]

/**
 * Looks whether an app that has installed the package would start, and whether its database, by the app's own client, is
 * as the package needs it.
 *
 * @throws ConfigurationError
 */
export const checkExisting = (): Promise<Finding[]> =>
  withExistingApp(async (app) => {
    app.service.requireRegistered()

    return [configurationFinding(app), ...(await databaseFindings(app))]
  })

function configurationFinding({ file, service }: ExistingApp): Finding {
  const keys = service.settings.keyFile ?? 'the settings'

  return ok(
    'configuration',
    `${file} with settings for ${process.env.NODE_ENV ?? 'development'}, keys from ${keys}`
  )
}

async function databaseFindings({ service }: ExistingApp): Promise<Finding[]> {
  let db: Db

  try {
    db = (await during('Connecting', () => usersOf(service))).db
    await db.command({ ping: 1 })
  } catch (error) {
    return [
      wrong(
        'database',
        `that of the app can not be used (${withoutUser(reason(error))})`,
        'start MongoDB, or write another address or user into the settings of the app'
      )
    ]
  }

  return checkConnected(db, needed)
}
