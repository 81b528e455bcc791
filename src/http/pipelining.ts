import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { addressGroup, addressOf } from './client-address.js'
import { FairTurns } from './fair-turns.js'

const mostChunks = 1000 // of a body: a hundred bytes each, with the default limit of bodies
const mostWaiting = 32 // requests: browsers send none ahead (RFC 9112 §9.3.2), and other clients a few

/**
 * Answers the requests of a connection one after the other. One network packet may hold thousands, and Node.js would
 * start them all at once. The connections of an address take turns, too. Replaces `emit`, because Engine.IO takes its
 * requests before other listeners.
 */
export function answerInTurn(server: Server, proxies: number): void {
  const turns = new FairTurns()
  const waiting = new WeakMap<Socket, (() => void)[]>()
  const emit = server.emit.bind(server) as (event: string, ...args: unknown[]) => boolean

  const begin = (request: IncomingMessage, response: ServerResponse) => {
    const { headers, socket } = request
    const address = addressOf({ headers, remoteAddress: socket.remoteAddress }, proxies)

    response.once('close', () => next(socket))
    turns.take(addressGroup(address), () => socket.destroyed || emit('request', request, response))
  }
  const next = (socket: Socket) => {
    const following = waiting.get(socket)?.shift()

    if (following && !socket.destroyed) {
      following()
    } else {
      waiting.delete(socket)
    }
  }

  const accept = (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    const queue = waiting.get(socket)

    limitChunks(request)

    if (socket.destroyed) {
      return
    }
    if (!queue) {
      waiting.set(socket, [])
      begin(request, response)
    } else if (queue.push(() => begin(request, response)) > mostWaiting) {
      socket.destroy()
    }
  }

  server.emit = (event: string, ...args: unknown[]) => {
    if (event !== 'request') {
      return emit(event, ...args)
    }

    accept(...(args as [IncomingMessage, ServerResponse]))
    return true
  }
}

/** Ends a connection that sends its body in very many chunks (RFC 9112 §7.1), each of which costs a callback. */
function limitChunks(request: IncomingMessage): void {
  if (request.headers['transfer-encoding'] === undefined) {
    return
  }

  const push = request.push.bind(request)
  let chunks = 0

  request.push = (chunk: unknown) => {
    if (++chunks > mostChunks) {
      request.socket.destroy()
      return false
    }

    return push(chunk)
  }
}
