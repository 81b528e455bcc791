import type { RealTimeConnection } from '@feathersjs/feathers'
import type { Channel } from '@feathersjs/transport-commons'
import type { Application } from '../declarations.js'

/**
 * Remembers the channels of each connection. When a connection disconnects or signs out, Feathers searches all channels
 * for it. There is one for each connected user: with 10,000 of them, that takes tens of milliseconds.
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
    // With a filter, it calls itself with the matching connections
    channel.leave = (...connections) => {
      connections.forEach((connection) => names.get(connection)?.delete(name))
      return leave(...connections)
    }
    remembering.add(channel)
  }

  app.channel = (...wanted: (string | string[])[]) => {
    const [name, ...others] = wanted.flat()
    const channel = find(...(wanted as string[]))

    // A combination of channels is made of single ones that were requested before
    if (name !== undefined && others.length === 0 && !remembering.has(channel)) {
      remember(name, channel)
    }

    return channel
  }

  const leaveAll = (connection: RealTimeConnection) =>
    namesOf(connection).forEach((name) => app.channel(name).leave(connection))

  // Replaces the listener that Feathers registered, and keeps it first
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
