import { setTimeout as after } from 'node:timers/promises'
import type { ManagerOptions, SocketOptions } from 'socket.io-client'
import { password } from './rest.js'
import { connect, type TestSocket } from './socket.js'

/** A socket, and what its sign-in answered. */
export interface SignedInSocket extends TestSocket {
  // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
  login: any
}

/** Opens the sockets of a test file, to be closed together at its end. */
export function socketsOf(address: () => string) {
  const open: TestSocket[] = []

  const anonymous = async (
    headers?: Record<string, string>,
    options?: Partial<ManagerOptions & SocketOptions>
  ): Promise<TestSocket> => {
    const socket = await connect(address(), headers, options)

    open.push(socket)
    return socket
  }

  const authenticated = async (request: object): Promise<SignedInSocket> => {
    const socket = await anonymous()

    return Object.assign(socket, { login: await socket.call('create', 'authentication', request) })
  }

  return {
    anonymous,
    /** With a session of its own. */
    signedIn: ({ email }: { email: string }, more: object = {}) =>
      authenticated({ strategy: 'local', email, password, ...more }),
    /** One more socket of a session. */
    ofSession: ({ accessToken }: { accessToken: string }) => authenticated({ strategy: 'jwt', accessToken }),
    closeAll: () => open.forEach((socket) => socket.close())
  }
}

/** The data of the events of that name so far. */
export const heard = ({ events }: TestSocket, name: string) =>
  events.filter((event) => event[0] === name).map((event) => event[1])

/** What the service sends a socket comes in order: what has not come before this answer was not sent before it. */
export const caughtUp = (...sockets: TestSocket[]) =>
  Promise.all(sockets.map((socket) => socket.call('find', 'health')))

/** Why the service disconnected a socket. Fails when it takes longer than the second that the contract allows. */
export async function disconnectedInTime(socket: TestSocket): Promise<string> {
  const late = after(1000, undefined, { ref: false }).then(() => {
    throw new Error('The socket is still connected after 1 s')
  })

  return Promise.race([socket.disconnected(), late])
}

export const isConnected = ({ socket }: TestSocket): boolean => socket.connected

/** Whether a socket is signed in: its calls are answered. */
export async function isSignedIn(socket: TestSocket): Promise<boolean> {
  return socket.call('find', 'sessions').then(
    () => true,
    (error: { code?: number }) => {
      if (error.code === 401) {
        return false
      }
      throw error
    }
  )
}
