import type { Server } from 'node:http'
import type { Socket as Connection } from 'node:net'
import { toMilliseconds } from '../refresh-token/internal.js'
import { addressGroup } from './client-address.js'
import type { Limits } from './settings.js'

const checksEvery = 1000 // ms: how long a timeout may go unnoticed

/** The memory held for a connection at the last check. */
interface Held {
  address: string
  /** The number of bytes read when the last request was answered. */
  before: number
  /** The bytes that the network had not accepted yet, and since when it has accepted none, ms. */
  left: number
  since: number
}

/**
 * Closes connections that don't read their responses for too long, and all pending ones of an address whose requests
 * and responses take too much memory.
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

/** The bytes that wait to be read by the client, plus those of requests that are not answered yet. */
function bytesOf({ writableLength, bytesRead }: Connection, { before }: Held): number {
  return writableLength + bytesRead - before
}

/** How long a client has not read what it was sent, ms. */
function unreadFor(socket: Connection, held: Held): number {
  const now = performance.now()
  const left = leftOf(socket)

  if (left === 0 || left !== held.left) {
    held.left = left
    held.since = now
  }

  return now - held.since
}

/** The bytes that the network has not accepted yet. Node.js only exposes whole writes, but counts bytes internally. */
function leftOf(socket: Connection): number {
  const { _handle: handle } = socket as unknown as { _handle: { writeQueueSize: number } | null }

  return handle?.writeQueueSize ?? 0
}
