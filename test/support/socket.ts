import { setTimeout as after } from 'node:timers/promises'
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'

export interface TestSocket {
  socket: Socket
  /** A service call; rejects with the error as the server sent it. */
  // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
  call(method: string, ...args: unknown[]): Promise<any>
  /** The events so far, oldest first: `['sessions removed', {...}]`. */
  events: [string, any][]
  /** The next event of that name, or the first so far that was not taken. Fails after 5 s. */
  next(name: string): Promise<any>
  /** Why it was disconnected. Fails after 5 s. */
  disconnected(): Promise<string>
  close(): void
}

/** A real Socket.IO client, connected. */
export async function connect(
  address: string,
  headers: Record<string, string> = {},
  options: Partial<ManagerOptions & SocketOptions> = {}
): Promise<TestSocket> {
  const socket = io(address, {
    transports: ['websocket'],
    extraHeaders: headers,
    reconnection: false,
    forceNew: true,
    ...options
  })
  const events: TestSocket['events'] = []
  const taken = new Set<unknown>()
  let end: string | undefined

  socket.onAny((name: string, data: unknown) => events.push([name, data]))
  socket.on('disconnect', (reason) => (end = reason))

  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('connect_error', reject)
  })

  return {
    socket,
    events,
    call: (method, ...args) =>
      new Promise((resolve, reject) => {
        socket
          .timeout(10_000)
          .emit(method, ...args, (late: Error | null, error: unknown, result: unknown) => {
            if (late || error) {
              reject(late ?? (error as Error))
            } else {
              resolve(result)
            }
          })
      }),
    async next(name) {
      return poll(() => {
        const event = events.find((candidate) => candidate[0] === name && !taken.has(candidate))

        taken.add(event)
        return event?.[1]
      }, `event '${name}'`)
    },
    disconnected: () => poll(() => end, 'the end of the connection'),
    close: () => socket.disconnect()
  }
}

/** What `look` finds, as soon as it does. */
export async function poll<T>(
  look: () => T | Promise<T>,
  what: string,
  timeout = 5000
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeout

  for (;;) {
    const found = await look()

    if (found !== undefined && found !== null && found !== false) {
      return found
    }
    if (Date.now() > deadline) {
      throw new Error(`Waited ${timeout} ms in vain for ${what}`)
    }

    await after(10)
  }
}
