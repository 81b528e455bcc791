import type { AuthenticationResult } from '@feathersjs/authentication'
import type { Params, RealTimeConnection } from '@feathersjs/feathers'
import type { Application } from './declarations.js'
import type { Session } from './refresh-token/index.js'
import { isAdmin } from './roles.js'
import type { User } from './services/users/users.schema.js'

const admins = 'admins'
const channelOf = (userId: string) => `users/${userId}`

/** Who hears what: a user of the own sessions and the own account, an admin of all accounts; nobody of anything else. */
export const channels = (app: Application) => {
  app.on('login', (_authResult: AuthenticationResult, { connection }: Params) => {
    if (connection) {
      leaveAll(app, connection)
      join(app, connection)
    }
  })

  app
    .service('users')
    .publish((user) => [app.channel(channelOf(String((user as User)._id))), app.channel(admins)])
  app.service('users').on('patched', (user: User) => follow(app, user))

  app.service('sessions').publish((data, { params }) => {
    const session: Session = data
    // A connection that is just signing out has no session any more
    const mine = app
      .channel(channelOf(params.userId))
      .filter((connection) => connection.session !== undefined)
    const isCurrent = (connection: RealTimeConnection) => connection.session?.id === session.id

    return [
      mine.filter(isCurrent).send({ ...session, current: true }),
      mine.filter((connection) => !isCurrent(connection)).send({ ...session, current: false })
    ]
  })
}

function leaveAll(app: Application, connection: RealTimeConnection): void {
  if (app.channels.length > 0) {
    app.channel(app.channels).leave(connection)
  }
}

function join(app: Application, connection: RealTimeConnection): void {
  app.channel(channelOf(String(connection.user._id))).join(connection)

  if (isAdmin(connection.user)) {
    app.channel(admins).join(connection)
  }
}

/** A changed user, on the connections that are signed in as that user. */
function follow(app: Application, user: User): void {
  for (const connection of [...app.channel(channelOf(String(user._id))).connections]) {
    connection.user = user
    leaveAll(app, connection)
    join(app, connection)
  }
}
