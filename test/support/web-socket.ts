import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'

/** A WebSocket of Engine.IO, byte by byte: for what no client library sends. */
export interface RawWebSocket {
  tcp: Socket
  /** What has come so far. */
  received(): string
  /** Whether the service has closed it. */
  isClosed(): boolean
  /** Resolves when the service has closed it. */
  closed(): Promise<void>
}

/** A text message of Engine.IO in a frame of its own, masked as clients must (RFC 6455 §5.3). */
export const frame = (text: string, opcode = 1): Buffer => {
  const data = Buffer.from(text)
  const length =
    data.length < 126
      ? Buffer.from([0x80 | data.length])
      : data.length < 65_536
        ? Buffer.from([0x80 | 126, data.length >> 8, data.length & 255])
        : Buffer.from([
            0x80 | 127,
            0,
            0,
            0,
            0,
            0,
            data.length >> 16,
            (data.length >> 8) & 255,
            data.length & 255
          ])

  // A mask of zeros leaves the data as it is
  return Buffer.concat([Buffer.from([0x80 | opcode]), length, Buffer.alloc(4), data])
}

/** Opens one, without joining a namespace. */
export async function openWebSocket(
  address: string,
  headers: Record<string, string> = {}
): Promise<RawWebSocket> {
  const { hostname, port, host } = new URL(address)
  const tcp = connect(Number(port), hostname)
  let text = ''
  let isClosed = false

  tcp.on('data', (data: Buffer) => (text += data.toString('latin1')))
  tcp.on('error', () => {})
  tcp.on('close', () => (isClosed = true))
  tcp.on('end', () => tcp.destroy())
  await once(tcp, 'connect')

  const lines = {
    Host: host,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    ...headers
  }

  tcp.write(
    [
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1',
      ...Object.entries(lines).map((line) => line.join(': ')),
      '',
      ''
    ].join('\r\n')
  )

  while (!text.includes('"sid"') && !isClosed) {
    await after(5)
  }

  return {
    tcp,
    received: () => text,
    isClosed: () => isClosed,
    async closed() {
      if (!isClosed) {
        await once(tcp, 'close')
      }
    }
  }
}

/** Opens a session of long polling. Returns the URL of its requests. */
export async function openPolling(address: string): Promise<string> {
  const url = `${address}/socket.io/?EIO=4&transport=polling`
  const opened = await (await fetch(url)).text()

  return `${url}&sid=${JSON.parse(opened.slice(1)).sid}`
}
