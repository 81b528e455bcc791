import type { AuthenticationService, SessionStore } from '../refresh-token/index.js'
import { CommandError } from './answer.js'
import { usersOf, withExistingApp } from './existing-app.js'
import { findUser } from './find-user.js'
import { existingManifest } from './manifest.js'
import { withApp } from './with-app.js'

/** The accounts and their sessions: those of this service, or of the app that has installed the package. */
export interface Accounts {
  sessions: SessionStore
  /** @throws CommandError if there is no such user */
  idOf: (email: string) => Promise<string>
}

export function withAccounts<T>(work: (accounts: Accounts) => Promise<T>): Promise<T> {
  return existingManifest()
    ? withExistingApp(({ service }) => work(accountsOf(service)))
    : withApp((app) =>
        work({
          sessions: app.service('authentication').sessions,
          idOf: async (email) => String((await findUser(app, email))._id)
        })
      )
}

function accountsOf(service: AuthenticationService): Accounts {
  const { entity, local } = service.configuration
  const field: string = local?.entityUsernameField ?? local?.usernameField ?? 'email'

  return {
    sessions: service.sessions,
    async idOf(email) {
      const user = await (await usersOf(service)).findOne({ [field]: email }, { projection: { sessions: 0 } })

      if (!user) {
        throw new CommandError(`There is no ${entity} with the ${field} ${email}`)
      }

      return String(user[service.configuration.entityId ?? '_id'])
    }
  }
}
