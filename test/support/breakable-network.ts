import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** What becomes of a request: it never gets there, or its answer never comes back. */
export type Break = 'before' | 'after' | undefined

/** A TCP proxy before a service, which loses what it is told to. */
export interface BreakableNetwork {
  address: string
  /** Whether to lose the next request (of HTTP) or packet (of a WebSocket) that holds the text. */
  decide: (text: string) => Break
  /** How many were lost. */
  lost: number
  /** Hangs up on all. */
  cut(): void
  /** Lets nobody in, or again. */
  setDown(isDown: boolean): void
  stop(): Promise<void>
}

/** @param address Of the service: `http://localhost:12345` */
export async function breakableNetwork(address: string): Promise<BreakableNetwork> {
  const { hostname, port } = new URL(address)
  const open = new Set<Socket>()
  let isDown = false

  const server: Server = createServer((client) => {
    if (isDown) {
      client.destroy()
      return
    }

    const service = connect(Number(port), hostname)
    let loseAnswers = false
    const end = () => {
      client.destroy()
      service.destroy()
      open.delete(client)
    }

    open.add(client)
    client.on('data', (data) => {
      const what = network.decide(text(data))

      network.lost += what ? 1 : 0

      if (what === 'before') {
        end()
        return
      }

      loseAnswers ||= what === 'after'
      service.write(data)
    })
    service.on('data', (data) => (loseAnswers ? end() : client.write(data)))

    for (const socket of [client, service]) {
      socket.on('error', end)
      socket.on('close', end)
    }
  }).listen(0, 'localhost')

  await once(server, 'listening')

  const network: BreakableNetwork = {
    address: `http://localhost:${(server.address() as AddressInfo).port}`,
    decide: () => undefined,
    lost: 0,
    cut: () => open.forEach((socket) => socket.destroy()),
    setDown: (down) => (isDown = down),
    async stop() {
      network.cut()
      server.close()
      await once(server, 'close')
    }
  }

  return network
}

/** What a packet says; browsers and Socket.IO's client mask what they send over a WebSocket (RFC 6455 §5.3). */
function text(data: Buffer): string {
  if (data[0] !== 0x81 || !(data[1]! & 0x80)) {
    return data.toString('latin1')
  }

  const length = data[1]! & 0x7f
  const start = length < 126 ? 2 : length === 126 ? 4 : 10
  const mask = data.subarray(start, start + 4)

  return Buffer.from(data.subarray(start + 4).map((byte, index) => byte ^ mask[index % 4]!)).toString(
    'latin1'
  )
}

/** Pseudo-random numbers from 0 to 1, the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0

    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)

    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
