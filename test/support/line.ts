import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { json } from 'node:stream/consumers'

export interface Line {
  /** The worker at its other end. */
  worker: string
  /** Sends a request over it: the status and the body. */
  // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
  ask(method: string, path: string, more?: LineAsk): Promise<{ status: number; body: any }>
  isOpen(): boolean
  close(): void
}

interface LineAsk {
  token?: string
  body?: object
}

/** A single HTTP connection, kept alive, so that all its requests come to one worker: a handshake tells which. */
export async function openLine(address: string): Promise<Line> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const sockets = new Set<Socket>()

  const send = async (method: string, path: string, { token, body }: LineAsk = {}) => {
    const asked = request(address + path, {
      method,
      agent,
      headers: {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(body && { 'Content-Type': 'application/json' })
      }
    })

    asked.once('socket', (socket) => {
      sockets.add(socket)
      if (sockets.size > 1) asked.destroy(new Error('The connection was closed'))
    })
    asked.end(body && JSON.stringify(body))

    const [answer] = (await once(asked, 'response')) as [IncomingMessage]

    return { answer, status: answer.statusCode! }
  }

  const { answer } = await send('GET', handshake)
  let text = ''

  for await (const chunk of answer.setEncoding('utf8')) text += chunk

  return {
    worker: workerOf(JSON.parse(text.slice(1)).sid),
    ask: async (...request) => {
      const { answer, status } = await send(...request)

      return { status, body: await json(answer) }
    },
    isOpen: () => [...sockets].every((socket) => !socket.destroyed && socket.readable),
    close: () => agent.destroy()
  }
}

/** The first request of long-polling (Engine.IO 4). */
export const handshake = '/socket.io/?EIO=4&transport=polling'

/** The worker that an Engine.IO id names. */
export const workerOf = (sid: string): string => sid.split('-')[0]!
