import { Unavailable } from '@feathersjs/errors'
import { backoff, within } from './alarm.js'
import type { Clock } from './options.js'

const longestQueue = 500 // calls
const longestWait = 30_000 // ms
const steadyAfter = 10_000 // ms: a connection that lived for so long is no reason to come back slowly

/** The socket of `socket.io-client`, as far as it is used here. */
export interface Socket {
  connected: boolean
  active: boolean
  io: { uri: string }
  connect(): void
  on(event: string, listener: (...args: never[]) => void): void
  once(event: string, listener: () => void): void
  off(event: string, listener: () => void): void
}

/** A connection that comes back, and the calls that wait for it. */
export class SocketLink {
  readonly #socket: Socket
  readonly #clock: Clock
  #waiting = 0
  #falls = 0
  #connectedAt = 0
  /** The access token that the connection is signed in with. */
  token: string | undefined

  constructor(socket: Socket, clock: Clock, onConnect: () => void) {
    this.#socket = socket
    this.#clock = clock

    socket.on('connect', () => {
      this.token = undefined
      this.#connectedAt = clock.now()
      onConnect()
    })
    // Socket.IO comes back by itself unless it was sent away, or the app disconnected
    socket.on('disconnect', (reason: string) => {
      this.token = undefined

      if (reason === 'io server disconnect') {
        this.#comeBack()
      }
    })
    socket.on('connect_error', () => {
      if (!socket.active) {
        this.#comeBack()
      }
    })
  }

  get uri(): string {
    return this.#socket.io.uri
  }

  /** @throws Unavailable when there is no connection for long */
  async connected(): Promise<void> {
    if (!this.#socket.connected) {
      const connection = new Promise<void>((resolve) => this.#socket.once('connect', resolve))

      await within(this.#clock, longestWait, connection, 'There is no connection')
    }
  }

  /** Waits for something, unless too many calls do already. @throws Unavailable */
  async queue<T>(wait: () => Promise<T>): Promise<T> {
    if (this.#waiting >= longestQueue) {
      throw new Unavailable('Too many calls wait for the connection')
    }

    this.#waiting++
    return wait().finally(() => this.#waiting--)
  }

  /** A call that fails with the connection, where Socket.IO would keep it waiting for ever. @throws Unavailable */
  send<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const lost = () => reject(new Unavailable('The connection was lost'))

      this.#socket.once('disconnect', lost)
      call()
        .then(resolve, reject)
        .finally(() => this.#socket.off('disconnect', lost))
    })
  }

  /** At once, and ever slower if it is sent away again. */
  #comeBack(): void {
    this.#falls = this.#clock.now() - this.#connectedAt > steadyAfter ? 0 : this.#falls + 1
    this.#clock.setTimeout(() => this.#socket.connect(), backoff(this.#falls - 1))
  }
}
