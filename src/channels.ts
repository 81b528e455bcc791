import type { AuthenticationResult } from '@feathersjs/authentication'
import type { Params, RealTimeConnection } from '@feathersjs/feathers'
import type { Channel } from '@feathersjs/transport-commons'
import type { Application } from './declarations.js'
import type { Session } from './refresh-token/index.js'
import { rememberChannels } from './sockets/channel-names.js'
import { isAdmin } from './services/users/roles.js'
import type { User } from './services/users/users.schema.js'

const admins = 'admins'
// Where an app keeps its channels: public in @feathersjs/transport-commons, but missing from its types
const feathersChannels = Symbol.for('@feathersjs/transport-commons/channels')
const ofUser = 'users/'
const channelOf = (userId: string) => `${ofUser}${userId}`

/**
 * Who receives which events: users receive those of their own sessions and account, admins those of all accounts.
 * Nobody receives anything else.
 */
export const channels = (app: Application) => {
  const namesOf = rememberChannels(app)

  app.on('login', (_authResult: AuthenticationResult, { connection }: Params) => {
    // Without a session, the client disconnected while it was signing in
    if (connection?.session) {
      leaveOthers(app, connection, namesOf(connection))
      join(app, connection)
      void catchUp(app, connection).catch(() => undefined) // a user who is gone is disconnected
    }
  })

  app
    .service('users')
    .publish((user) =>
      [...existing(app, channelOf(String((user as User)._id))), ...existing(app, admins)].map(signedIn)
    )
  app.service('users').on('patched', (user: User) => updateConnections(app, user))

  app.service('sessions').publish((data, { params }) => {
    const session: Session = data
    const isCurrent = (connection: RealTimeConnection) => connection.session?.id === session.id

    return existing(app, channelOf(params.userId)).flatMap((channel) => {
      const mine = signedIn(channel)

      return [
        mine.filter(isCurrent).send({ ...session, current: true }),
        mine.filter((connection) => !isCurrent(connection)).send({ ...session, current: false })
      ]
    })
  })
}

/** The connections that are signed in as a user. */
export const connectionsOf = (app: Application, userId: string): RealTimeConnection[] =>
  existing(app, channelOf(userId)).flatMap((channel) => signedIn(channel).connections)

export const hasAdmins = (app: Application): boolean => existing(app, admins).length > 0

/** The ids of the users who have connections. */
export const signedInUsers = (app: Application): string[] =>
  app.channels.filter((name) => name.startsWith(ofUser)).map((name) => name.slice(ofUser.length))

/** The channel of that name, if anybody is in it: asking Feathers for it would create it for good. */
function existing(app: Application, name: string): Channel[] {
  const channelsByName = (app as unknown as Record<symbol, object>)[feathersChannels]!

  return name in channelsByName ? [app.channel(name)] : []
}

/** Without connections that are signing out: they are still in their channels but have no session. */
const signedIn = (channel: Channel) => channel.filter((connection) => connection.session !== undefined)

/** Leaves the channels of the user who was signed in on this connection before. */
function leaveOthers(app: Application, connection: RealTimeConnection, names: string[]): void {
  const own = channelOf(String(connection.user._id))

  names.filter((name) => name !== own).forEach((name) => app.channel(name).leave(connection))
}

function join(app: Application, connection: RealTimeConnection): void {
  app.channel(channelOf(String(connection.user._id))).join(connection)
  followRole(app, connection)
}

/** The user may have lost a role during the sign-in, when no change reached this connection yet. */
async function catchUp(app: Application, connection: RealTimeConnection): Promise<void> {
  const userId = String(connection.user._id)
  const { user } = await app.service('authentication').live.findUser(userId)
  const { roles } = user() as unknown as User

  if (connection.session && String(connection.user._id) === userId) {
    connection.user = { ...connection.user, roles }
    followRole(app, connection)
  }
}

/** Only joins or leaves: leaving and joining again would empty a channel while it is published to. */
function followRole(app: Application, connection: RealTimeConnection): void {
  if (isAdmin(connection.user)) {
    app.channel(admins).join(connection)
  } else {
    existing(app, admins).forEach((channel) => channel.leave(connection))
  }
}

/** Updates the connections that are signed in as a user who changed. */
function updateConnections(app: Application, user: User): void {
  for (const connection of existing(app, channelOf(String(user._id))).flatMap(
    (channel) => channel.connections
  )) {
    connection.user = user
    followRole(app, connection)
  }
}
