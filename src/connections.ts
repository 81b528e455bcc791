import type { IncomingMessage, Server, ServerOptions } from 'node:http'
import type { Socket, ServerOptions as SocketServerOptions, Server as SocketServer } from 'socket.io'
import { addressGroup, addressOf } from './client-address.js'
import type { Limits } from './limits.js'
import { toMilliseconds } from './refresh-token/duration.js'

/** Decides on a handshake. */
export type AllowRequest = NonNullable<SocketServerOptions['allowRequest']>

const checksEvery = 1000 // ms: how late a client may be beyond its timeout
const longestHeaders = 10_000 // ms: they come in one packet, or a few
const longestConnect = 10_000 // ms from the connection of a socket to the packet that says what it wants

/** What a request may be like: more is a 431, later a 408. */
export function requestLimits({ headers, requestTimeout }: Limits): ServerOptions {
  const timeout = toMilliseconds(requestTimeout)!

  return {
    maxHeaderSize: headers,
    requestTimeout: timeout,
    headersTimeout: Math.min(timeout, longestHeaders),
    connectionsCheckingInterval: checksEvery
  }
}

/** Closes connections that are too many: of all, and of one address. Behind proxies all have the proxies' addresses. */
export function limitConnections(server: Server, limits: Limits, proxies: number): void {
  limitAll(server, limits.connections)

  if (proxies === 0) {
    const held = new AddressCounts(limits.connectionsPerAddress)

    server.on('connection', (socket) => {
      const address = addressGroup(socket.remoteAddress ?? '')

      socket.once('close', () => held.leave(address))

      if (!held.enter(address)) {
        socket.destroy()
      }
    })
  }
}

/**
 * What `server.maxConnections` does, which node:cluster takes for a reason to offer the connection to another worker: where
 * all are full, over and over.
 */
function limitAll(server: Server, most: number): void {
  let open = 0

  server.on('connection', (socket) => {
    socket.once('close', () => open--)

    if (++open > most) {
      socket.destroy()
    }
  })
}

/** The same limit of an address for sockets, whose clients are known by name behind proxies too. */
export function socketLimits(limits: Limits, proxies: number) {
  const held = new AddressCounts(limits.connectionsPerAddress)
  const groupOf = ({ headers, socket: { remoteAddress } }: IncomingMessage) =>
    addressGroup(addressOf({ headers, remoteAddress }, proxies))

  const options: Partial<SocketServerOptions> = {
    maxHttpBufferSize: limits.body,
    connectTimeout: longestConnect
  }

  // Here a client can be told why
  const allowRequest: AllowRequest = (request, answer) =>
    held.isFull(groupOf(request)) ? answer('Too many connections', false) : answer(null, true)

  // And here they are counted, so that many at once are not let in before the first is
  const limit = ({ engine }: SocketServer) =>
    engine.on('connection', (socket: Socket['conn']) => {
      const address = groupOf(socket.request)

      socket.once('close', () => held.leave(address))

      if (!held.enter(address)) {
        socket.close(true)
      }
    })

  return { options, allowRequest, limit }
}

/** How many connections each address has. */
class AddressCounts {
  readonly #counts = new Map<string, number>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  isFull(address: string): boolean {
    return this.#of(address) >= this.#most
  }

  /** Counts a connection, till it leaves. Answers whether it may stay. */
  enter(address: string): boolean {
    this.#counts.set(address, this.#of(address) + 1)

    return this.#of(address) <= this.#most
  }

  leave(address: string): void {
    const left = this.#of(address) - 1

    if (left > 0) {
      this.#counts.set(address, left)
    } else {
      this.#counts.delete(address)
    }
  }

  #of(address: string): number {
    return this.#counts.get(address) ?? 0
  }
}
