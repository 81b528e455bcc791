import type { Server } from 'node:http'
import type { Socket as Connection } from 'node:net'
import { toMilliseconds } from '../refresh-token/internal.js'
import { addressGroup } from './client-address.js'
import type { Limits } from './settings.js'

const checksEvery = 1000 // ms: how long a timeout may go unnoticed

/** What is held for a connection, as it was seen last. */
interface Held {
  address: string
  /** The bytes that had been read when the last request was answered. */
  before: number
  /** Bytes that the network had not taken yet, and since when it has taken none of them, ms. */
  left: number
  since: number
}

/**
 * Closes connections that read nothing of what they are sent for too long, and all that wait on an address whose requests
 * and responses under way take too much memory.
 */
export function limitMemory(server: Server, { bytesPerAddress, readTimeout }: Limits, proxies: number): void {
  const open = new Map<Connection, Held>()
  const timeout = toMilliseconds(readTimeout)!

  server.on('connection', (socket) => {
    const address = addressGroup(socket.remoteAddress ?? '')

    open.set(socket, { address, before: 0, left: 0, since: performance.now() })
    socket.once('close', () => open.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    response.once('close', () => {
      const held = open.get(socket)

      // The connection may have closed with the response
      if (held) {
        held.before = socket.bytesRead
      }
    })
  })
  // WebSockets have limits of their own
  server.on('upgrade', ({ socket }) => open.delete(socket))

  const timer = setInterval(() => {
    const byAddress = new Map<string, number>()

    for (const [socket, held] of open) {
      const { address } = held

      byAddress.set(address, (byAddress.get(address) ?? 0) + bytesOf(socket, held))

      if (unreadFor(socket, held) > timeout) {
        socket.destroy()
      }
    }

    for (const [socket, held] of open) {
      if (proxies === 0 && byAddress.get(held.address)! > bytesPerAddress && bytesOf(socket, held) > 0) {
        socket.destroy()
      }
    }
  }, checksEvery).unref()

  server.once('close', () => clearInterval(timer))
}

/** What waits to be read, and what has arrived of requests that are not answered. */
function bytesOf({ writableLength, bytesRead }: Connection, { before }: Held): number {
  return writableLength + bytesRead - before
}

/** For how long a client has read nothing of what it is sent, ms. */
function unreadFor(socket: Connection, held: Held): number {
  const now = performance.now()
  const left = leftOf(socket)

  if (left === 0 || left !== held.left) {
    held.left = left
    held.since = now
  }

  return now - held.since
}

/** Bytes that the network has not taken yet: Node.js tells by whole writes only, but keeps count inside. */
function leftOf(socket: Connection): number {
  const { _handle: handle } = socket as unknown as { _handle: { writeQueueSize: number } | null }

  return handle?.writeQueueSize ?? 0
}
