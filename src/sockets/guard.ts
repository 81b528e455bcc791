import { BadRequest, MethodNotAllowed, NotFound, type FeathersError } from '@feathersjs/errors'
import feathers from '@feathersjs/feathers'
import type { Server, Socket } from 'socket.io'
import { addressGroup, addressOf } from '../http/client-address.js'
import type { Application } from '../declarations.js'
import { FairTurns } from '../http/fair-turns.js'
import { hasTooManyEntries } from '../hooks/entries.js'
import { secureSockets } from '../http/security-headers.js'
import { requestIdOf } from '../http/request-id.js'
import { countCalls, queuePackets } from './call-limit.js'
import { deliverOneByOne, readInParts, type Connection } from './connection.js'
import { MemoryLimit } from './held-bytes.js'

const mostArguments = 5 // the path, the id, the data, the query and the answer

/**
 * Adds what Feathers lacks for sockets: the client's address, an answer to calls that reach no service, and limits on
 * calls and on the memory of a connection.
 */
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

    // It disconnected while its headers were being authenticated; Socket.IO emits no event for that
    if (socket.conn.readyState !== 'open') {
      app.emit('disconnect', feathers)
    }

    next()
  })
  secureSockets(io)
  limitPackets(app, io)

  io.on('connection', (socket) => {
    // Only calls reach the listeners: a client could name its packet `error`, which is an event of the socket itself
    socket.use(([method, ...args], next) => {
      const refusal = refused(methods, method, args)
      const answer: unknown = args.at(-1)

      if (!refusal) {
        next()
      } else if (typeof answer === 'function') {
        answer(refusal.toJSON())
      }
    })
    countCalls(socket)
    socket.on('error', () => {
      const { requestId } = (socket as Socket & { feathers: { requestId?: string } }).feathers

      app.get('logger').warn({ requestId }, 'A socket failed')
    })
  })
}

function limitPackets(app: Application, io: Server): void {
  const limits = app.get('limits')
  const memory = new MemoryLimit(limits)
  const turns = new FairTurns()

  deliverOneByOne(io)
  io.engine.on('connection', (connection: Connection) => {
    const { headers, socket } = connection.request
    const address = addressGroup(
      addressOf({ headers, remoteAddress: socket.remoteAddress }, app.get('proxies'))
    )

    // It may have been closed because its address has too many
    if (connection.readyState === 'open') {
      const held = memory.watch(connection, address)

      readInParts(connection, (bytes) => held.add(bytes))
      queuePackets(connection, limits.callsPerSocket, held, (begin) => turns.take(address, begin))
    }
  })
}

function refused(methods: Set<string>, method: string, args: unknown[]): FeathersError | undefined {
  if (!methods.has(method)) {
    return new MethodNotAllowed(`No service has a method '${method}'`)
  }

  // Socket.IO passes each as a function argument: tens of thousands overflow the stack and end the process
  if (args.length > mostArguments) {
    return new BadRequest(`Too many arguments for '${method}' method`)
  }
  // Feathers copies a query, entry by entry and byte by byte
  if (args.some((arg) => ArrayBuffer.isView(arg) || hasTooManyEntries(arg))) {
    return new BadRequest('Invalid data: it must not be binary, nor have too many entries')
  }

  return typeof args[0] === 'function' ? new NotFound('Invalid service path') : undefined
}
