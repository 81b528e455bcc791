import pLimit from 'p-limit'
import type { Socket } from 'socket.io'
import { tooManyRequests } from './rate-limits/rate-limit.js'

const longestQueue = 1000 // calls: what one packet of the network can bring, unless they are tiny
const retryAfter = 1000 // ms

/** What Engine.IO keeps to itself: the answers that are not sent yet, and the connection of `ws` below. */
interface Inside {
  writeBuffer: unknown[]
  transport: { socket?: { pause?(): void; resume?(): void } }
}

/** The calls of each connection that are not answered yet. */
const openCalls = new WeakMap<Socket['conn'], Set<Promise<void>>>()

/** Waits until all calls of a connection are answered, and the answers sent. */
export async function callsAnswered(connection: Socket['conn']): Promise<void> {
  for (let calls; (calls = openCalls.get(connection))?.size;) {
    await Promise.all(calls)
  }
}

/**
 * Lets so many calls of a socket be under way at once, however many it sends, so that those of other sockets come in
 * between. The rest waits, in order, and where it can (in a WebSocket) with the sender: nothing is read from it
 * meanwhile, which slows down a flood and costs a busy client nothing. What still comes is answered 429.
 */
export function limitCalls(socket: Socket, most: number): void {
  const limit = pLimit(most)
  const inside = socket.conn as unknown as Inside
  const unsent: (() => void)[] = []
  const calls = new Set<Promise<void>>()
  let paused: Inside['transport']['socket']

  openCalls.set(socket.conn, calls)
  socket.use((event, next) => {
    if (limit.pendingCount >= longestQueue) {
      refuse(event)
      return
    }

    const call = limit(() => underWay(event, next))

    calls.add(call)
    void call.finally(() => calls.delete(call)).then(resumeIfIdle)

    if (limit.pendingCount > 0 && !paused) {
      paused = inside.transport.socket
      paused?.pause?.()
    }
  })

  socket.conn.on('drain', () => unsent.splice(0).forEach((done) => done()))
  socket.once('disconnect', () => {
    limit.clearQueue()
    resume()
  })

  /** From the call until its answer is sent: who does not read answers is not to fill the memory with them. */
  const underWay = (event: unknown[], next: () => void) =>
    new Promise<void>((done) => {
      const answer = event.at(-1)
      const answered = (...result: unknown[]) => {
        if (typeof answer === 'function') {
          answer(...result)
        }
        if (inside.writeBuffer.length > 0) {
          unsent.push(done)
        } else {
          done()
        }
      }

      event.splice(typeof answer === 'function' ? -1 : event.length, 1, answered)
      next()
    })

  const resumeIfIdle = () => {
    if (limit.pendingCount === 0) {
      resume()
    }
  }

  const resume = () => {
    paused?.resume?.()
    paused = undefined
  }
}

function refuse(event: unknown[]): void {
  const answer = event.at(-1)

  if (typeof answer === 'function') {
    answer(tooManyRequests(retryAfter).toJSON())
  }
}
