import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket as Connection } from 'node:net'
import type { Server as SocketServer, Socket } from 'socket.io'
import { limitConnections, requestLimits } from './connections.js'
import type { Application } from './declarations.js'
import { ConfigurationError } from './refresh-token/index.js'
import { callsAnswered } from './socket-calls.js'

const patience = 5000 // ms: how long requests in flight may take once the service is told to stop

type SocketConnection = Socket['conn']

export interface RunningServer {
  /** Where it listens: http://localhost:3030 */
  address: string
  stop(): Promise<void>
}

/**
 * Starts the app on its host and port (0: any free one).
 *
 * @throws ConfigurationError when it can't listen there, or a setting turns out to be wrong
 */
export async function startServer(app: Application): Promise<RunningServer> {
  const answer = app.callback()
  const server = createServer(
    requestLimits(app.get('limits')),
    (request, response) => void answer(request, response)
  )

  const closeWithAnswers = followAnswers(server)
  const cut = followConnections(server)
  let sendSocketsAway: () => void

  limitConnections(server, app.get('limits'), app.get('proxies'))

  try {
    await app.setup(server)
    sendSocketsAway = followSockets(app.io)
    await listen(server, app.get('port'), app.get('host'))
  } catch (error) {
    await app.teardown()
    await app.get('database').close()
    throw error
  }

  const { port } = server.address() as AddressInfo

  return {
    address: `http://${app.get('host')}:${port}`,
    stop: () => {
      // A connection that is kept alive would go on asking
      closeWithAnswers()
      sendSocketsAway()
      return stop(app, server, cut)
    }
  }
}

const sentences: Record<string, (host: string, port: number) => string> = {
  EADDRINUSE: (_host, port) => `port ${port} is taken by another program: set PORT to a free one`,
  EACCES: (_host, port) => `port ${port} may not be used by this user: set PORT to one above 1023`,
  EADDRNOTAVAIL: (host) =>
    `host "${host}" is no address of this machine: set HOSTNAME to one, such as localhost`,
  ENOTFOUND: (host) => `host "${host}" can not be resolved: set HOSTNAME to one that can, such as localhost`
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const sentence = sentences[error.code ?? '']?.(host, port)

      reject(sentence ? new ConfigurationError(sentence) : error)
    })
    server.listen(port, host, resolve)
  })
}

/** Follows the answers in flight; what it returns makes each of them, and all later ones, the last of its connection. */
function followAnswers(server: Server): () => void {
  const inFlight = new Set<ServerResponse>()
  const isLast = (response: ServerResponse) =>
    response.headersSent || response.setHeader('Connection', 'close')

  server.prependListener('request', (_request, response: ServerResponse) => {
    inFlight.add(response)
    response.once('close', () => inFlight.delete(response))
  })

  return () => {
    inFlight.forEach(isLast)
    server.prependListener('request', (_request, response: ServerResponse) => isLast(response))
  }
}

/**
 * Follows the connections of sockets; what it returns closes each of them, and all later ones, once its calls are
 * answered. Only the connection: a client that is told to disconnect stays away, one whose connection ends comes back
 * by itself, to another instance.
 */
function followSockets({ engine }: SocketServer): () => void {
  const open = new Set<SocketConnection>()
  const close = (connection: SocketConnection) =>
    void callsAnswered(connection).then(() => connection.close())

  engine.on('connection', (connection: SocketConnection) => {
    open.add(connection)
    connection.once('close', () => open.delete(connection))
  })

  return () => {
    open.forEach(close)
    engine.on('connection', close)
  }
}

/**
 * Follows the connections; what it returns cuts those that are left. Node forgets what was upgraded, and waits for it: a
 * WebSocket whose client does not answer its end, one that another worker has.
 */
function followConnections(server: Server): () => void {
  const open = new Set<Connection>()

  server.on('connection', (connection) => {
    open.add(connection)
    connection.once('close', () => open.delete(connection))
  })

  return () => open.forEach((connection) => connection.destroy())
}

/** Takes no more connections, lets what is in flight finish, then ends the services and leaves the database. */
async function stop(app: Application, server: Server, cut: () => void): Promise<void> {
  const impatience = setTimeout(cut, patience)

  await new Promise((resolve) => server.close(resolve))
  clearTimeout(impatience)
  app.io.engine.close() // sockets that were between two requests
  await app.teardown(server)
  await app.get('database').close()
}
