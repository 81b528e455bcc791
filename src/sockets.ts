import { MethodNotAllowed } from '@feathersjs/errors'
import type { Server, Socket } from 'socket.io'
import type { Application } from './declarations.js'
import { secureSockets } from './headers.js'

/** What Feathers leaves out for sockets: the client's address, and an answer to a method that no service has. */
export const guardSockets = (app: Application) => (io: Server) => {
  io.use((socket, next) => {
    const { feathers } = socket as Socket & { feathers: { ip?: string } }

    feathers.ip = socket.handshake.address
    next()
  })
  secureSockets(io)

  io.on('connection', (socket) => {
    socket.onAny((method: string, ...args: unknown[]) => {
      const answer = args.at(-1)

      if (socket.listenerCount(method) === 0 && typeof answer === 'function') {
        answer(new MethodNotAllowed(`No service has a method '${method}'`).toJSON())
      }
    })
    socket.on('error', (error) => app.get('logger').warn(`A socket failed: ${error.name}`))
  })
}
