import cluster from 'node:cluster'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, ServerResponse, createServer, request, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream'
import type { Server as SocketServer } from 'socket.io'
import type { Application } from '../declarations.js'

type Engine = SocketServer['engine']

// Kept alive: one that the other end closes with its answer may fail before that is read
const agent = new Agent({ keepAlive: true })
const hopByHop = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade'] // RFC 9110 §7.6.1: of one connection, not of the message

/**
 * Lets a socket live in one worker while its requests come to any: those of HTTP long-polling, and the one that turns it
 * into a WebSocket. The id that Engine.IO gives a socket names its worker, and who gets a request for another's passes it
 * on through that one's pipe. A WebSocket that begins as one stays where it came.
 *
 * @param pipes The folder of the pipes, which nobody else may enter
 */
export const shareSockets = (pipes: string) => (app: Application) => {
  const id = String(cluster.worker!.id)
  const door = createServer({ keepAliveTimeout: 0 })

  app.hooks({
    setup: [
      async (_context: unknown, next: () => Promise<void>) => {
        await next()

        const { engine } = app.io

        nameIds(engine, id)
        engine.use(passOn(pipes, id))
        door.on('request', (req, res) => engine.handleRequest(req, res))
        door.on('upgrade', (req, socket, head) => engine.handleUpgrade(req, socket, head))
        // Of this worker alone: else the primary would hand out its connections too
        door.listen({ path: pipeOf(pipes, id), exclusive: true })
        await once(door, 'listening')
      }
    ],
    teardown: [
      async (_context: unknown, next: () => Promise<void>) => {
        door.close()
        await next()
      }
    ]
  })
}

/** Ids of 120 random bits, as Engine.IO's own. */
function nameIds(engine: Engine, worker: string): void {
  engine.generateId = () => `${worker}-${randomBytes(15).toString('base64url')}`
}

/** The worker that an id names; undefined in an id that is none of ours. */
const ownerOf = (url = ''): string | undefined => /[?&]sid=(\d{1,10})-/.exec(url)?.[1]

const pipeOf = (folder: string, worker: string) =>
  process.platform === 'win32' ? `\\\\.\\pipe\\${basename(folder)}-${worker}` : join(folder, worker)

/** Passes a request on to the worker that its socket lives in. Where that is gone, Engine.IO says that it knows no such id. */
const passOn =
  (pipes: string, self: string) =>
  (req: IncomingMessage, res: ServerResponse, next: () => void): void => {
    const owner = ownerOf(req.url)

    if (owner === undefined || owner === self) {
      next()
    } else if (res instanceof ServerResponse) {
      forward(req, res, pipeOf(pipes, owner), next)
    } else {
      // Of an upgrade, for which Engine.IO has an answer of its own. A header alone makes none
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
  // Who hung up polls no more
  res.once('close', () => passed.destroy())
}

function withoutHops(headers: IncomingMessage['headers']) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopByHop.includes(name)))
}

/** From here on both ends speak to each other, whatever they say. */
function tunnel(req: IncomingMessage, path: string, next: () => void): void {
  const client = req.socket
  const owner = connect(path)

  const unreachable = () => next()

  // Node listens to its errors no more, and Engine.IO not yet
  client.on('error', () => owner.destroy())
  owner.once('error', unreachable)
  owner.once('connect', () => {
    owner.off('error', unreachable)
    owner.write(headOf(req), 'latin1') // as Node reads headers
    pipeline(client, owner, client, () => {})
  })
}

/** The request as it came. */
function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  const lines = Array.from(
    { length: rawHeaders.length / 2 },
    (_, index) => `${rawHeaders[2 * index]}: ${rawHeaders[2 * index + 1]}`
  )

  return [`${method} ${url} HTTP/${httpVersion}`, ...lines, '', ''].join('\r\n')
}
