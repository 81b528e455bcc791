import type { Limits } from '../http/settings.js'
import { toMilliseconds } from '../refresh-token/internal.js'
import { drop, hasUnsent, webSocketOf, type Connection } from './connection.js'

const overhead = 64 // bytes: about what a packet takes beside its data
const checksEvery = 1000 // ms: how long an unread answer may go unnoticed

type Data = string | Buffer | undefined

/**
 * The memory that a connection takes: its headers, a packet that has arrived in part, packets that wait for their turn
 * or their answer, and packets that the client hasn't read yet.
 */
export class HeldBytes {
  readonly connection: Connection
  readonly #changed: () => void
  readonly #headers: number // bytes of the request, which Engine.IO keeps
  #read = 0 // bytes of the packets that have arrived
  #waiting = 0
  #unsent = 0
  #unreadSince: number | undefined // by performance.now()

  /** @param changed Called with each packet, when the memory has grown */
  constructor(connection: Connection, changed: () => void) {
    this.connection = connection
    this.#changed = changed
    this.#headers = connection.request.rawHeaders.join('').length
    this.#read = this.#bytesRead
    connection.on('upgrade', () => (this.#read = this.#bytesRead))
    connection.on('packetCreate', ({ data }: { data?: Data }) => {
      this.#unsent += sizeOf(data)
      this.#changed()
    })
    connection.on('packet', () => (this.#read = this.#bytesRead))
    // The network has accepted everything that was sent before, and the transport gets these packets now
    connection.on('flush', () => {
      this.#unsent = 0
      this.#unreadSince = undefined
    })
  }

  get bytes(): number {
    return this.#headers + this.#bytesRead - this.#read + this.#waiting + this.#unsent + this.#untaken
  }

  get #bytesRead(): number {
    return webSocketOf(this.connection)?._socket.bytesRead ?? this.#read
  }

  /** The bytes that the network has not accepted yet. A poll is an HTTP response, which has limits of its own. */
  get #untaken(): number {
    return webSocketOf(this.connection)?.bufferedAmount ?? 0
  }

  /** A packet has arrived, and waits for its turn. */
  wait(packet: Data): void {
    this.add(sizeOf(packet))
  }

  /** A packet has been answered, or needs no answer. */
  done(packet: Data): void {
    this.add(-sizeOf(packet))
  }

  /** Adds to the bytes that wait; a negative number subtracts. */
  add(bytes: number): void {
    this.#waiting += bytes

    if (bytes > 0) {
      this.#changed()
    }
  }

  /** How long the client has not read what it was sent, ms. */
  unreadFor(now: number): number {
    if (!hasUnsent(this.connection) && this.#untaken === 0) {
      this.#unreadSince = undefined
      return 0
    }

    this.#unreadSince ??= now
    return now - this.#unreadSince
  }
}

const sizeOf = (data: Data): number => overhead + (data?.length ?? 0)

/**
 * Limits the memory of a connection, and of all connections of one address. Disconnects those that exceed it, and
 * clients that read nothing for too long.
 */
export class MemoryLimit {
  readonly #limits: Limits
  readonly #readTimeout: number
  readonly #held = new Map<HeldBytes, { address: string; bytes: number }>()
  readonly #byAddress = new Map<string, number>()

  constructor(limits: Limits) {
    this.#limits = limits
    this.#readTimeout = toMilliseconds(limits.readTimeout)!
    setInterval(() => this.#check(), checksEvery).unref()
  }

  /**
   * Counts the memory of a connection until it closes.
   *
   * @param address The group of addresses that share a limit
   */
  watch(connection: Connection, address: string): HeldBytes {
    const held: HeldBytes = new HeldBytes(connection, () => this.#note(held))

    this.#held.set(held, { address, bytes: 0 })
    connection.once('close', () => this.#forget(held))
    return held
  }

  #note(held: HeldBytes): void {
    const noted = this.#held.get(held)

    // The others are about to close
    if (noted) {
      const { bytes } = held
      const ofAddress = this.#add(noted.address, bytes - noted.bytes)

      noted.bytes = bytes

      if (bytes > this.#limits.bytesPerConnection || ofAddress > this.#limits.bytesPerAddress) {
        drop(held.connection)
      }
    }
  }

  #forget(held: HeldBytes): void {
    const { address, bytes } = this.#held.get(held)!

    this.#held.delete(held)
    this.#add(address, -bytes)
  }

  #add(address: string, bytes: number): number {
    const sum = (this.#byAddress.get(address) ?? 0) + bytes

    if (sum > 0) {
      this.#byAddress.set(address, sum)
    } else {
      this.#byAddress.delete(address)
    }

    return sum
  }

  #check(): void {
    const now = performance.now()

    for (const held of [...this.#held.keys()]) {
      this.#note(held)

      if (held.unreadFor(now) > this.#readTimeout) {
        drop(held.connection)
      }
    }
  }
}
