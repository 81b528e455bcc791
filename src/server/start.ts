import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket as Connection } from 'node:net'
import type { Server as SocketServer, Socket } from 'socket.io'
import { limitConnections, refuseOtherUpgrades, requestLimits } from '../http/connection-limits.js'
import { answerInTurn } from '../http/pipelining.js'
import type { Application } from '../declarations.js'
import { ConfigurationError } from '../refresh-token/index.js'
import { callsAnswered } from '../sockets/call-limit.js'

const stopTimeout = 5000 // ms that requests in flight may take once the service is told to stop

type SocketConnection = Socket['conn']

export interface RunningServer {
  /** Such as http://localhost:3030 */
  address: string
  stop(): Promise<void>
}

/**
 * Starts the app on its host and port (0 for any free one).
 *
 * @throws ConfigurationError when it can't listen there, or setup finds a wrong setting
 */
export async function startServer(app: Application): Promise<RunningServer> {
  const answer = app.callback()
  const server = createServer(
    requestLimits(app.get('limits')),
    (request, response) => void answer(request, response)
  )

  const closeWithAnswers = trackAnswers(server)
  const destroyRest = trackConnections(server)
  let closeSockets: () => void

  answerInTurn(server, app.get('proxies'))

  try {
    await app.setup(server)
    // After Engine.IO, which would keep its requests from earlier listeners
    limitConnections(server, app.get('limits'), app.get('proxies'))
    refuseOtherUpgrades(server, app.io.path())
    closeSockets = trackSockets(app.io)
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
      // Otherwise clients would send further requests on kept-alive connections
      closeWithAnswers()
      closeSockets()
      return stop(app, server, destroyRest)
    }
  }
}

const sentences: Record<string, (host: string, port: number) => string> = {
  EADDRINUSE: (_host, port) => `port ${port} is taken by another program: set PORT to a free one`,
  EACCES: (_host, port) => `port ${port} may not be used by this user: set PORT to one above 1023`,
  EADDRNOTAVAIL: (host) =>
    `host "${host}" is not an address of this machine: set HOSTNAME to one, such as localhost`,
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

/** Tracks the answers in flight. The returned function makes them and all later ones the last of their connections. */
function trackAnswers(server: Server): () => void {
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
 * Tracks the connections of sockets. The returned function closes them and all later ones, once their calls are answered.
 * It closes the connection rather than tell the client to disconnect: the client then reconnects by itself, to another
 * instance.
 */
function trackSockets({ engine }: SocketServer): () => void {
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
 * Tracks the connections. The returned function destroys those that are left. Node doesn't close upgraded connections
 * itself but waits for them: for a WebSocket whose client doesn't close its end, or that belongs to another worker.
 */
function trackConnections(server: Server): () => void {
  const open = new Set<Connection>()

  server.on('connection', (connection) => {
    open.add(connection)
    connection.once('close', () => open.delete(connection))
  })

  return () => open.forEach((connection) => connection.destroy())
}

/** Accepts no more connections, lets requests in flight finish, then tears down the app and closes the database. */
async function stop(app: Application, server: Server, destroyRest: () => void): Promise<void> {
  const timer = setTimeout(destroyRest, stopTimeout)

  await new Promise((resolve) => server.close(resolve))
  clearTimeout(timer)
  app.io.engine.close() // polling sockets between two requests
  await app.teardown(server)
  await app.get('database').close()
}
