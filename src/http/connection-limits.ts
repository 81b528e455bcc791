import type { IncomingMessage, Server, ServerOptions } from 'node:http'
import type { Socket, ServerOptions as SocketServerOptions, Server as SocketServer } from 'socket.io'
import { addressGroup, addressOf } from './client-address.js'
import { limitMemory } from './memory-limit.js'
import type { Limits } from './settings.js'
import { toMilliseconds } from '../refresh-token/internal.js'

/** Decides on a handshake. */
export type AllowRequest = NonNullable<SocketServerOptions['allowRequest']>

const checksEvery = 1000 // ms: how long a timeout may go unnoticed
const longestHeaders = 10_000 // ms: headers arrive in one packet, or a few
const longestConnect = 10_000 // ms for a new socket to send its first packet

/** Limits of a request: larger headers are a 431, a slower request is a 408. */
export function requestLimits({ headers, requestTimeout }: Limits): ServerOptions {
  const timeout = toMilliseconds(requestTimeout)!

  return {
    maxHeaderSize: headers,
    requestTimeout: timeout,
    headersTimeout: Math.min(timeout, longestHeaders),
    connectionsCheckingInterval: checksEvery
  }
}

/**
 * Closes connections beyond the limits in total and per address, and those whose client reads nothing. Behind proxies,
 * all connections have a proxy's address.
 */
export function limitConnections(server: Server, limits: Limits, proxies: number): void {
  limitTotal(server, limits.connections)
  limitMemory(server, limits, proxies)

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
 * Does what `server.maxConnections` does, except that with the latter node:cluster would offer a connection to one full
 * worker after the other, without end.
 */
function limitTotal(server: Server, most: number): void {
  let open = 0

  server.on('connection', (socket) => {
    socket.once('close', () => open--)

    if (++open > most) {
      socket.destroy()
    }
  })
}

/**
 * Refuses upgrades to anything but a socket. Node.js hands such a connection over and reads nothing more from it: it would
 * stay open for good, even once its client is gone.
 *
 * @param path Of the sockets, which Engine.IO answers
 */
export function refuseOtherUpgrades(server: Server, path: string): void {
  server.on('upgrade', ({ url, socket }) => {
    if (!url!.startsWith(`${path}/`)) {
      socket.write('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      socket.destroySoon()
    }
  })
}

/** The same limit per address for sockets, where a client's address is known behind proxies too. */
export function socketLimits(limits: Limits, proxies: number) {
  const held = new AddressCounts(limits.connectionsPerAddress)
  const groupOf = ({ headers, socket: { remoteAddress } }: IncomingMessage) =>
    addressGroup(addressOf({ headers, remoteAddress }, proxies))

  const options: Partial<SocketServerOptions> = {
    maxHttpBufferSize: limits.body,
    connectTimeout: longestConnect
  }

  // Here the client can be told why
  const allowRequest: AllowRequest = (request, answer) =>
    held.isFull(groupOf(request)) ? answer('Too many connections', false) : answer(null, true)

  // Counted here, since many concurrent handshakes could all pass the check above before the first is counted
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

/** The number of connections of each address. */
class AddressCounts {
  readonly #counts = new Map<string, number>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  isFull(address: string): boolean {
    return this.#of(address) >= this.#most
  }

  /** Counts a connection until `leave`. Returns whether it may stay. */
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
