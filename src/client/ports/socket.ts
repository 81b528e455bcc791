import { Unavailable } from '../answers.js'
import { backoff } from '../core.js'
import { inTime, type Timers } from './clock.js'

const longestQueue = 500 // calls
const steadyAfter = 10_000 // ms: after a connection that lasted this long, reconnecting isn't delayed

/** The part of a `socket.io-client` socket that is used here. */
export interface Socket {
  connected: boolean
  active: boolean
  connect(): void
  on(event: string, listener: (...args: never[]) => void): void
  once(event: string, listener: (...args: never[]) => void): void
  off(event: string, listener: (...args: never[]) => void): void
}

export type SocketLink = ReturnType<typeof socketLink>

/**
 * A connection that reconnects, and the calls that wait for it.
 *
 * @param signIn Signs the connection in, unless it already is
 */
export function socketLink(socket: Socket, clock: Timers, signIn: () => void) {
  let connection: Promise<void> | undefined
  let waiting = 0
  let falls = 0
  let connectedAt = 0

  const link = {
    /** The access token that the connection is signed in with. */
    token: undefined as string | undefined,

    signIn,

    /** Signs the connection in even if it already is. */
    signInAnew(): void {
      link.token = undefined
      signIn()
    },

    /** Waits for a connection. @throws Unavailable if that takes too long */
    async connected(): Promise<undefined> {
      if (!socket.connected) {
        connection ??= new Promise<void>((resolve) => socket.once('connect', resolve)).finally(
          () => (connection = undefined)
        )
        await inTime(clock, connection)
      }
    },

    /** Waits for something, unless too many calls already do. @throws Unavailable */
    async queue<T>(wait: () => Promise<T>): Promise<T> {
      if (waiting >= longestQueue) {
        throw new Unavailable('Too many calls')
      }

      waiting++
      return wait().finally(() => waiting--)
    },

    /**
     * Makes a call that fails if the connection is lost. Socket.IO would leave it pending forever.
     *
     * @throws Unavailable with `data.comesBack`, unless the app disconnected
     */
    send<T>(call: () => Promise<T>): Promise<T> {
      return new Promise((resolve, reject) => {
        const lost = (reason: string) =>
          reject(new Unavailable('Connection lost', { comesBack: reason !== 'io client disconnect' }))

        socket.once('disconnect', lost)
        call()
          .then(resolve, reject)
          .finally(() => socket.off('disconnect', lost))
      })
    }
  }

  /** Reconnects at once; if the server disconnects it again, after growing delays. */
  function comeBack(): void {
    if (clock.elapsed() - connectedAt > steadyAfter) {
      falls = 0
    }
    clock.setTimeout(() => socket.connect(), backoff(falls++, Math.random()))
  }

  socket.on('connect', () => {
    connectedAt = clock.elapsed()
    link.signInAnew()
  })
  // Socket.IO reconnects by itself, unless the server or the app disconnected
  socket.on('disconnect', (reason: string) => {
    link.token = undefined

    if (reason === 'io server disconnect') {
      comeBack()
    }
  })
  socket.on('connect_error', () => {
    if (!socket.active) {
      comeBack()
    }
  })

  return link
}
