import type { Socket as TcpSocket } from 'node:net'
import type { Server, Socket } from 'socket.io'

/** The connection below a socket, as Engine.IO has it. */
export type Connection = Socket['conn']

/** Internals of Engine.IO: the packets not yet handed to the transport, and the WebSocket of one that has it. */
interface Inside {
  writeBuffer: unknown[]
  transport: {
    socket?: WebSocket
    onData(payload: string): void
    on(event: 'packet', listener: (packet: unknown) => void): void
  }
  onPacket(packet: unknown): void
}

/** What we use of the WebSocket of `ws`. */
interface WebSocket {
  _socket: TcpSocket
  /** Bytes that the network has not taken yet. */
  bufferedAmount: number
  pause(): void
  resume(): void
  terminate(): void
  pong(data: Buffer): void
  on(event: 'ping', listener: (data: Buffer) => void): void
}

/** The WebSocket of a connection; undefined while it polls. */
export const webSocketOf = (connection: Connection): WebSocket | undefined =>
  (connection as unknown as Inside).transport.socket

/** Whether packets wait for the transport to take them. */
export const hasUnsent = (connection: Connection): boolean =>
  (connection as unknown as Inside).writeBuffer.length > 0

/** Ends a connection at once, whether or not its client reads what it was sent. */
export function drop(connection: Connection): void {
  const webSocket = webSocketOf(connection)

  connection.close(true)
  webSocket?.terminate()
}

/**
 * Has `ws` deliver each frame in a turn of the event loop of its own, rather than all the thousands that one packet of the
 * network may hold. A ping is answered once the answers before it are sent (RFC 6455 §5.5.3).
 */
export function deliverOneByOne({ engine }: Server): void {
  const { opts } = engine as unknown as { opts: { wsEngine: new (options: object) => object } }

  // Engine.IO makes it when the server listens
  opts.wsEngine = class extends opts.wsEngine {
    constructor(options: object) {
      super({ ...options, allowSynchronousEvents: false, autoPong: false })
    }
  }
  engine.on('connection', (connection: Connection) => {
    const answerPings = () => {
      const webSocket = webSocketOf(connection)

      webSocket?.on('ping', (data) => {
        if (webSocket.bufferedAmount === 0) {
          webSocket.pong(data)
        }
      })
    }

    answerPings()
    connection.on('upgrade', answerPings)
  })
}

const separator = '\x1e' // between the packets of a poll (Engine.IO protocol 4)
const atOnce = 50 // packets of a poll that are read in one turn of the event loop

/**
 * Has a connection read what a poll brings a little at a time, in order.
 *
 * @param waiting Called with what waits, and with its negative once that is read, in bytes
 */
export function readInParts(connection: Connection, waiting: (bytes: number) => void): void {
  const inside = connection as unknown as Inside
  const { transport } = inside
  const read = transport.onData.bind(transport)
  const payloads: string[] = []

  // A WebSocket brings one packet at a time
  if (transport.socket) {
    return
  }

  // What it still has to read by then
  connection.once('upgrade', () => transport.on('packet', (packet) => inside.onPacket(packet)))
  transport.onData = (payload) => {
    waiting(payload.length)

    if (payloads.push(payload) === 1) {
      readPart()
    }
  }

  const readPart = () => {
    const [payload] = payloads

    if (payload === undefined || connection.readyState !== 'open') {
      return
    }

    const end = endOfPart(payload)
    const rest = payload.slice(end + 1)

    if (end < payload.length) {
      payloads[0] = rest
    } else {
      payloads.shift()
    }

    waiting(rest.length - payload.length)
    read(payload.slice(0, end))
    setImmediate(readPart)
  }
}

/** Where the first packets of a payload end. */
function endOfPart(payload: string): number {
  let end = -1

  for (let packets = 0; packets < atOnce; packets++) {
    end = payload.indexOf(separator, end + 1)

    if (end === -1) {
      return payload.length
    }
  }

  return end
}
