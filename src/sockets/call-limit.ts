import type { Socket } from 'socket.io'
import { drop, hasUnsent, webSocketOf, type Connection } from './connection.js'
import type { HeldBytes } from './held-bytes.js'

type Packet = string | Buffer
type TakeTurn = (begin: () => void) => void

const longestConnect = 16_384 // bytes: as much as headers may have by default
const connect = '0' // the type of the packet that joins a namespace (Socket.IO protocol 5)

const queues = new WeakMap<Connection, PacketQueue>()

/** Waits until all calls of a connection have been answered and the answers sent. */
export async function callsAnswered(connection: Connection): Promise<void> {
  await queues.get(connection)?.emptied()
}

/**
 * Limits how many calls of a connection run at once, so that other connections get their turn. Further packets wait in
 * order. Meanwhile nothing is read from a WebSocket, so the rest waits at the sender, which slows down a flood and
 * costs a busy client nothing. Each packet is passed to Socket.IO in its own turn of the event loop.
 *
 * @param takeTurn Calls a function in a turn of the connection's address
 */
export function queuePackets(
  connection: Connection,
  most: number,
  held: HeldBytes,
  takeTurn: TakeTurn
): void {
  queues.set(connection, new PacketQueue(connection, most, held, takeTurn))
}

/** Counts the calls of a socket as running, until their answers are sent. */
export function countCalls(socket: Socket): void {
  const queue = queues.get(socket.conn)!

  socket.use((event, next) => {
    const done = queue.begin()
    const answer = event.at(-1)
    const answered = (...result: unknown[]) => {
      if (typeof answer === 'function') {
        answer(...result)
      }
      done()
    }

    event.splice(typeof answer === 'function' ? -1 : event.length, 1, answered)
    next()
  })
}

class PacketQueue {
  readonly #connection: Connection
  readonly #most: number
  readonly #held: HeldBytes
  readonly #takeTurn: TakeTurn
  readonly #deliver: (packet: Packet) => void
  #waiting: Packet[] = []
  #unsent: (() => void)[] = []
  #whenEmpty: (() => void)[] = []
  #delivered: Packet[] = [] // of the call that begins next
  #running = 0
  #isConnected = false
  #hasTurn = false // or waits for it
  #paused: ReturnType<typeof webSocketOf>

  constructor(connection: Connection, most: number, held: HeldBytes, takeTurn: TakeTurn) {
    const [deliver] = connection.listeners('data') as [(packet: Packet) => void]

    this.#connection = connection
    this.#most = most
    this.#held = held
    this.#takeTurn = takeTurn
    this.#deliver = deliver
    connection.off('data', deliver)
    connection.on('data', (packet: Packet) => this.#add(packet))
    connection.on('drain', () => this.#unsent.splice(0).forEach((done) => done()))
    connection.once('close', () => this.#close())
  }

  /** Counts a call as running. Returns a function to call once it is answered. */
  begin(): () => void {
    const packets = this.#delivered.splice(0)
    const end = () => {
      this.#running--
      this.#forget(packets)
      this.#work()
    }

    this.#running++

    return () => {
      // A client that doesn't read its answers gets no further calls processed
      if (hasUnsent(this.#connection)) {
        this.#unsent.push(end)
      } else {
        end()
      }
    }
  }

  /** Resolves when nothing waits or runs. */
  async emptied(): Promise<void> {
    if (this.#waiting.length > 0 || this.#running > 0 || this.#hasTurn) {
      await new Promise<void>((resolve) => this.#whenEmpty.push(resolve))
    }
  }

  #add(packet: Packet): void {
    if (this.#isExcessiveConnect(packet)) {
      drop(this.#connection)
      return
    }

    this.#waiting.push(packet)
    this.#held.wait(packet)
    this.#work()

    if (this.#waiting.length > 0 && !this.#paused) {
      this.#paused = webSocketOf(this.#connection)
      this.#paused?.pause()
    }
  }

  /**
   * A client joins the only namespace once: each further time would cost a socket. The data of the packet is kept as
   * long as the connection.
   */
  #isExcessiveConnect(packet: Packet): boolean {
    const isConnect = typeof packet === 'string' && packet.startsWith(connect)
    const isExcessive = isConnect && (this.#isConnected || packet.length > longestConnect)

    this.#isConnected ||= isConnect
    return isExcessive
  }

  /** Delivers the next packet, unless one was delivered in this turn of the event loop, or waits for a turn. */
  #work(): void {
    if (this.#hasTurn) {
      return
    }

    if (this.#running < this.#most && this.#waiting.length > 0) {
      this.#hasTurn = true
      this.#takeTurn(() => this.#deliverNext())
    } else if (this.#running === 0) {
      this.#whenEmpty.splice(0).forEach((resolve) => resolve())
    }

    if (this.#waiting.length === 0) {
      this.#paused?.resume()
      this.#paused = undefined
    }
  }

  #deliverNext(): void {
    const packet = this.#waiting.shift()

    // The connection has closed meanwhile
    if (packet === undefined) {
      return
    }

    this.#delivered.push(packet)
    setImmediate(() => {
      this.#hasTurn = false
      this.#forgetUncalled(packet)
      this.#work()
    })
    this.#deliver(packet)
  }

  /** Called if a packet started no call: it was refused, or Socket.IO keeps it until all its attachments arrive. */
  #forgetUncalled(packet: Packet): void {
    if (typeof packet === 'string') {
      this.#forget(this.#delivered.splice(0))
    }
  }

  #forget(packets: Packet[]): void {
    packets.forEach((packet) => this.#held.done(packet))
  }

  #close(): void {
    this.#waiting = []
    this.#delivered = []
    this.#whenEmpty.splice(0).forEach((resolve) => resolve())
  }
}
