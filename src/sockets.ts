import { MethodNotAllowed, NotFound, type FeathersError } from '@feathersjs/errors'
import feathers from '@feathersjs/feathers'
import type { Server, Socket } from 'socket.io'
import { addressOf } from './client-address.js'
import type { AllowRequest } from './connections.js'
import type { Application } from './declarations.js'
import { secureSockets } from './headers.js'
import { isKnownOrigin } from './refresh-token/origin.js'
import { requestIdOf } from './request-id.js'
import { limitCalls } from './socket-calls.js'

/** What Feathers leaves out for sockets: the client's address, and an answer to calls that reach no service. */
export const guardSockets = (app: Application) => (io: Server) => {
  const methods = new Set(
    Object.values(app.services).flatMap((service) => feathers.getServiceOptions(service).methods ?? [])
  )

  io.use((socket, next) => {
    const { feathers } = socket as Socket & { feathers: { ip?: string; requestId?: string } }

    feathers.ip = addressOf(
      { headers: socket.handshake.headers, remoteAddress: socket.handshake.address },
      app.get('proxies')
    )
    feathers.requestId = requestIdOf(socket.handshake.headers['x-request-id'])

    // It hung up while its headers were signed in: Socket.IO forgets it without a word
    if (socket.conn.readyState !== 'open') {
      app.emit('disconnect', feathers)
    }

    next()
  })
  secureSockets(io)

  io.on('connection', (socket) => {
    // Nothing else gets to the listeners: a client may name its packet `error`, say, as the socket's own event
    socket.use(([method, ...args], next) => {
      const refusal = refused(methods, method, args)
      const answer: unknown = args.at(-1)

      if (!refusal) {
        next()
      } else if (typeof answer === 'function') {
        answer(refusal.toJSON())
      }
    })
    limitCalls(socket, app.get('limits').callsPerSocket)
    socket.on('error', () => {
      const { requestId } = (socket as Socket & { feathers: { requestId?: string } }).feathers

      app.get('logger').warn({ requestId }, 'A socket failed')
    })
  })
}

function refused(methods: Set<string>, method: string, [path]: unknown[]): FeathersError | undefined {
  if (!methods.has(method)) {
    return new MethodNotAllowed(`No service has a method '${method}'`)
  }

  return typeof path === 'function' ? new NotFound('Invalid service path') : undefined
}

/**
 * Refuses the handshake of another site's page: CORS does not ask before a WebSocket. Without an origin it is no page
 * that asks.
 */
export const fromKnownOrigin =
  (origins: string[]): AllowRequest =>
  ({ headers }, answer) =>
    answer(null, headers.origin === undefined || isKnownOrigin(headers.origin, headers, origins))

/** A handshake that both let in. */
export const both =
  (first: AllowRequest, second: AllowRequest): AllowRequest =>
  (request, answer) =>
    first(request, (why, allowed) => (allowed ? second(request, answer) : answer(why, false)))
