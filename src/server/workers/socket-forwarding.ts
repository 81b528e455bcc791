import cluster from 'node:cluster'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, ServerResponse, createServer, request, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream'
import type { Server as SocketServer } from 'socket.io'
import type { Application } from '../../declarations.js'

type Engine = SocketServer['engine']

// Kept alive: a connection that closes with the answer may fail before the answer is read
const agent = new Agent({ keepAlive: true })
const hopByHop = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade'] // RFC 9110 §7.6.1: for one connection only

/**
 * Lets the requests of a socket arrive at any worker, although the socket lives in one of them: the requests of HTTP
 * long-polling, and the one that upgrades to a WebSocket. A socket's Engine.IO id names its worker. Any other worker
 * forwards the request there, through a pipe. A socket that starts as a WebSocket needs none of this.
 *
 * @param pipes The folder of the pipes, accessible to this user only
 */
export const shareSockets = (pipes: string) => (app: Application) => {
  const id = String(cluster.worker!.id)
  const pipeServer = createServer({ keepAliveTimeout: 0 })

  app.hooks({
    setup: [
      async (_context: unknown, next: () => Promise<void>) => {
        await next()

        const { engine } = app.io

        nameIds(engine, id)
        engine.use(passOn(pipes, id))
        pipeServer.on('request', (req, res) => engine.handleRequest(req, res))
        pipeServer.on('upgrade', (req, socket, head) => engine.handleUpgrade(req, socket, head))
        // Exclusive, because the primary would otherwise distribute its connections among the workers
        pipeServer.listen({ path: pipeOf(pipes, id), exclusive: true })
        await once(pipeServer, 'listening')
      }
    ],
    teardown: [
      async (_context: unknown, next: () => Promise<void>) => {
        pipeServer.close()
        await next()
      }
    ]
  })
}

/** Generates ids with 120 random bits, as many as Engine.IO's own. */
function nameIds(engine: Engine, worker: string): void {
  engine.generateId = () => `${worker}-${randomBytes(15).toString('base64url')}`
}

/** The worker that a socket id in a URL names; undefined if there is none. */
const ownerOf = (url = ''): string | undefined => /[?&]sid=(\d{1,10})-/.exec(url)?.[1]

const pipeOf = (folder: string, worker: string) =>
  process.platform === 'win32' ? `\\\\.\\pipe\\${basename(folder)}-${worker}` : join(folder, worker)

/** Forwards a request to the worker of its socket. If that is gone, Engine.IO answers that the id is unknown. */
const passOn =
  (pipes: string, self: string) =>
  (req: IncomingMessage, res: ServerResponse, next: () => void): void => {
    const owner = ownerOf(req.url)

    if (owner === undefined || owner === self) {
      next()
    } else if (res instanceof ServerResponse) {
      forward(req, res, pipeOf(pipes, owner), next)
    } else {
      // An upgrade: Engine.IO passes a response object of its own
      tunnel(req, pipeOf(pipes, owner), next)
    }
  }

function forward(req: IncomingMessage, res: ServerResponse, socketPath: string, next: () => void): void {
  const { method, url, headers } = req
  const passed = request({ socketPath, method, path: url, headers: withoutHops(headers), agent })

  req.pipe(passed)
  passed.once('error', () => {
    if (res.headersSent || res.closed) res.destroy()
    else next()
  })
  passed.once('response', (answer) => {
    res.writeHead(answer.statusCode!, withoutHops(answer.headers))
    pipeline(answer, res, () => {})
  })
  // The client disconnected
  res.once('close', () => passed.destroy())
}

function withoutHops(headers: IncomingMessage['headers']) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.includes(name)))
}

/** Connects the client with the other worker, byte by byte. */
function tunnel(req: IncomingMessage, path: string, next: () => void): void {
  const client = req.socket
  const owner = connect(path)

  const unreachable = () => next()

  // Node no longer handles the client's errors, and Engine.IO doesn't yet
  client.on('error', () => owner.destroy())
  owner.once('error', unreachable)
  owner.once('connect', () => {
    owner.off('error', unreachable)
    owner.write(headOf(req), 'latin1') // as Node reads headers
    pipeline(client, owner, client, () => {})
  })
}

/** The head of the request, as it arrived. */
function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = Array.from(
    { length: rawHeaders.length / 2 },
    (_, index) => `${rawHeaders[2 * index]}: ${rawHeaders[2 * index + 1]}`
  )

  return [`${method} ${url} HTTP/${httpVersion}`, ...lines, '', ''].join('\r\n')
}
