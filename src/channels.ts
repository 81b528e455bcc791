import type { AuthenticationResult } from '@feathersjs/authentication'
import type { Params, RealTimeConnection } from '@feathersjs/feathers'
import type { Channel } from '@feathersjs/transport-commons'
import type { Application } from './declarations.js'
import type { Session } from './refresh-token/index.js'
import { isAdmin } from './roles.js'
import type { User } from './services/users/users.schema.js'

const admins = 'admins'
// Where an app keeps its channels: part of the API of @feathersjs/transport-commons, but not of its types
const feathersChannels = Symbol.for('@feathersjs/transport-commons/channels')
const ofUser = 'users/'
const channelOf = (userId: string) => `${ofUser}${userId}`

/** Who hears what: a user of the own sessions and the own account, an admin of all accounts; nobody of anything else. */
export const channels = (app: Application) => {
  app.on('login', (_authResult: AuthenticationResult, { connection }: Params) => {
    // Without a session it hung up while it signed in
    if (connection?.session) {
      leaveOthers(app, connection)
      join(app, connection)
    }
  })

  app
    .service('users')
    .publish((user) =>
      [...existing(app, channelOf(String((user as User)._id))), ...existing(app, admins)].map(signedIn)
    )
  app.service('users').on('patched', (user: User) => follow(app, user))

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

/** The channel of that name, if anybody is in it: to ask Feathers for it would make it, for ever. */
function existing(app: Application, name: string): Channel[] {
  const channelsByName = (app as unknown as Record<symbol, object>)[feathersChannels]!

  return name in channelsByName ? [app.channel(name)] : []
}

/** A connection that is just signing out is still in its channels, but has no session any more. */
const signedIn = (channel: Channel) => channel.filter((connection) => connection.session !== undefined)

/** Leaves the channels of whoever was signed in before. */
function leaveOthers(app: Application, connection: RealTimeConnection): void {
  const own = channelOf(String(connection.user._id))
  const others = app.channels.filter((name) => name !== own)

  if (others.length > 0) {
    app.channel(others).leave(connection)
  }
}

function join(app: Application, connection: RealTimeConnection): void {
  app.channel(channelOf(String(connection.user._id))).join(connection)
  followRole(app, connection)
}

/** Joins or leaves, and nothing else: to leave and join again would empty a channel that is being published to. */
function followRole(app: Application, connection: RealTimeConnection): void {
  if (isAdmin(connection.user)) {
    app.channel(admins).join(connection)
  } else {
    existing(app, admins).forEach((channel) => channel.leave(connection))
  }
}

/** A changed user, on the connections that are signed in as that user. */
function follow(app: Application, user: User): void {
  for (const connection of existing(app, channelOf(String(user._id))).flatMap(
    (channel) => channel.connections
  )) {
    connection.user = user
    followRole(app, connection)
  }
}
