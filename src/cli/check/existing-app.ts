import type { Db } from 'mongodb'
import { reason } from '../../dev/development-error.js'
import type { NeededIndex } from '../../database/indexes.js'
import { endReasonsIndex } from '../../refresh-token/internal.js'
import { checkConnected, withoutUser } from './database.js'
import { usersOf, withExistingApp, type ExistingApp } from '../existing-app.js'
import { mistake, ok, wrong, type Finding } from './finding.js'
import { during } from '../progress.js'

const needed: NeededIndex[] = [{ ...endReasonsIndex }]

/**
 * Checks that an app that has installed the package would start, and that its database is as the package needs it, using
 * the app's own client.
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

  return [...(await checkConnected(db, needed)), ...(await checkUsers(service))]
}

async function checkUsers(service: ExistingApp['service']): Promise<Finding[]> {
  const problems: Finding[] = []

  await service.checkUsers((sentence) => problems.push(mistake('users', sentence)))

  return problems.length > 0 ? problems : [ok('users', 'their ids and their sessions are as they should be')]
}
