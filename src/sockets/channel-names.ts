import type { RealTimeConnection } from '@feathersjs/feathers'
import type { Channel } from '@feathersjs/transport-commons'
import type { Application } from '../declarations.js'

/**
 * Has each connection remember its channels. Feathers looks for a connection that disconnects or signs out in all channels
 * there are, one for each user who is connected: with 10,000 of them that takes tens of milliseconds.
 *
 * @returns The names of a connection's channels
 */
export function rememberChannels(app: Application): (connection: RealTimeConnection) => string[] {
  const names = new WeakMap<RealTimeConnection, Set<string>>()
  const remembering = new WeakSet<Channel>()
  const find = app.channel.bind(app)
  const namesOf = (connection: RealTimeConnection) => [...(names.get(connection) ?? [])]

  const remember = (name: string, channel: Channel) => {
    const join = channel.join.bind(channel)
    const leave = channel.leave.bind(channel)

    channel.join = (...connections) => {
      connections.forEach((connection) =>
        names.set(connection, (names.get(connection) ?? new Set<string>()).add(name))
      )
      return join(...connections)
    }
    // With a filter, it calls itself with the connections that match
    channel.leave = (...connections) => {
      connections.forEach((connection) => names.get(connection)?.delete(name))
      return leave(...connections)
    }
    remembering.add(channel)
  }

  app.channel = (...wanted: (string | string[])[]) => {
    const [name, ...others] = wanted.flat()
    const channel = find(...(wanted as string[]))

    // Of several, each has been asked for by itself
    if (name !== undefined && others.length === 0 && !remembering.has(channel)) {
      remember(name, channel)
    }

    return channel
  }

  const leaveAll = (connection: RealTimeConnection) =>
    namesOf(connection).forEach((name) => app.channel(name).leave(connection))

  // In the place of what Feathers registered, before others
  for (const event of ['disconnect', 'logout'] as const) {
    const [feathers] = app.listeners(event) as (() => void)[]

    app.off(event, feathers!)
  }
  app.prependListener('disconnect', leaveAll)
  app.prependListener('logout', (_authResult: unknown, params: { connection?: RealTimeConnection }) => {
    if (params.connection) {
      leaveAll(params.connection)
    }
  })

  return namesOf
}
