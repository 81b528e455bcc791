import type { Socket as TcpSocket } from 'node:net'
import type { Server, Socket } from 'socket.io'

/** The Engine.IO connection below a socket. */
export type Connection = Socket['conn']

/** Internals of Engine.IO: the packets not yet passed to the transport, and the WebSocket, if there is one. */
interface Inside {
  writeBuffer: unknown[]
  transport: {
    socket?: WebSocket
    onData(payload: string): void
    on(event: 'packet', listener: (packet: unknown) => void): void
  }
  onPacket(packet: unknown): void
}

/** The part of a `ws` WebSocket that is used here. */
interface WebSocket {
  _socket: TcpSocket
  /** Bytes that the network has not accepted yet. */
  bufferedAmount: number
  pause(): void
  resume(): void
  terminate(): void
  pong(data: Buffer): void
  on(event: 'ping', listener: (data: Buffer) => void): void
}

/** The options of a WebSocket server of `ws` that are used here. */
interface WebSocketOptions {
  maxPayload: number
  maxFragments?: number
  maxBufferedChunks?: number
  allowSynchronousEvents?: boolean
  autoPong?: boolean
}

/** The WebSocket of a connection; undefined while it polls. */
export const webSocketOf = (connection: Connection): WebSocket | undefined =>
  (connection as unknown as Inside).transport.socket

/** Whether packets wait for the transport. */
export const hasUnsent = (connection: Connection): boolean =>
  (connection as unknown as Inside).writeBuffer.length > 0

/** Closes a connection at once, even if its client doesn't read. */
export function drop(connection: Connection): void {
  const webSocket = webSocketOf(connection)

  connection.close(true)
  webSocket?.terminate()
}

// Beside its bytes, each costs a hundred more until the message is complete
const mostFragments = 100 // of a message; for a larger `limits.body`, one per 1,000 bytes
const chunksPerFragment = 4 // network packets have 500 bytes or more, but for the last one

/**
 * Makes `ws` deliver each frame in its own turn of the event loop, since one network packet may hold thousands. A ping
 * is answered once the answers before it are sent (RFC 6455 §5.5.3). A message in very many parts ends its connection.
 */
export function deliverOneByOne({ engine }: Server): void {
  const { opts } = engine as unknown as {
    opts: { wsEngine: new (options: WebSocketOptions) => object }
  }

  // Engine.IO creates it when the server listens
  opts.wsEngine = class extends opts.wsEngine {
    constructor(options: WebSocketOptions) {
      const maxFragments = Math.max(mostFragments, options.maxPayload / 1000)
      const maxBufferedChunks = chunksPerFragment * maxFragments
      const parts = { maxFragments, maxBufferedChunks }

      super({ ...options, ...parts, allowSynchronousEvents: false, autoPong: false })
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
 * Makes a connection read the packets of a poll in small parts, in order.
 *
 * @param waiting Called with the number of bytes that wait, and with its negative once they are read
 */
export function readInParts(connection: Connection, waiting: (bytes: number) => void): void {
  const inside = connection as unknown as Inside
  const { transport } = inside
  const read = transport.onData.bind(transport)
  const payloads: string[] = []

  // A WebSocket delivers one packet at a time
  if (transport.socket) {
    return
  }

  // For the packets that are still unread by then
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

/** The index where the first part of a payload ends. */
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
