import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A connection through the proxy. */
export interface ProxiedConnection {
  /** Whether the client has asked something with these bytes in it, and nothing has come back since. */
  waitsFor(text: string): boolean
  /** Breaks it: both sides see it reset. */
  cut(): void
  /** Bytes go neither way from now on, and nobody is told. */
  freeze(): void
  thaw(): void
}

export interface TcpProxy {
  port: number
  /** Those that are open, oldest first. */
  connections: Set<ProxiedConnection>
  /** Where new connections go, of those the first that takes them: as a load balancer does. */
  targets: number[]
  /** Breaks all connections, or those that `which` picks. Returns how many. */
  cut(which?: (connection: ProxiedConnection) => boolean): number
  /** Freezes all connections, and new ones too, as a firewall does that forgot them; or only those that `which` picks. */
  freeze(which?: (connection: ProxiedConnection) => boolean): number
  /** All goes on, with the bytes that came meanwhile. */
  thaw(): void
  /** Breaks the picked connections when their next answer comes: what was asked is done, and nobody knows. Returns how many. */
  loseAnswers(which: (connection: ProxiedConnection) => boolean): number
  close(): Promise<void>
}

/** A proxy between a client and servers on this machine whose connections can be broken. */
export async function startTcpProxy(...targets: number[]): Promise<TcpProxy> {
  const connections = new Set<ProxiedConnection & { loseAnswer(): void }>()
  let isFrozen = false

  const server = createServer({ noDelay: true, pauseOnConnect: true }, (client) => {
    client.on('error', () => undefined)
    void take(client)
  })

  async function take(client: Socket): Promise<void> {
    const upstream = await reach(proxy.targets)

    if (!upstream || client.destroyed) {
      upstream?.destroy()
      client.resetAndDestroy()
      return
    }

    const connection = join(client, upstream)

    connections.add(connection)
    client.once('close', () => connections.delete(connection))

    if (isFrozen) {
      connection.freeze()
    }
  }

  const picked = (which: (connection: ProxiedConnection) => boolean = () => true) =>
    [...connections].filter(which)

  const proxy: TcpProxy = {
    port: 0,
    connections,
    targets,
    cut(which) {
      const cut = picked(which)

      cut.forEach((connection) => connection.cut())
      return cut.length
    },
    freeze(which) {
      const frozen = picked(which)

      isFrozen = which === undefined
      frozen.forEach((connection) => connection.freeze())
      return frozen.length
    },
    thaw() {
      isFrozen = false
      connections.forEach((connection) => connection.thaw())
    },
    loseAnswers(which) {
      const losing = picked(which)

      losing.forEach((connection) => connection.loseAnswer())
      return losing.length
    },
    async close() {
      server.close()
      proxy.cut()
      await once(server, 'close')
    }
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.port = (server.address() as AddressInfo).port
  return proxy
}

/** A connection to the first of the ports that takes one. */
async function reach([port, ...others]: number[]): Promise<Socket | undefined> {
  if (port === undefined) {
    return undefined
  }

  const socket = connect({ port, host: '127.0.0.1', noDelay: true })

  try {
    await once(socket, 'connect')
    return socket.on('error', () => undefined)
  } catch {
    return reach(others)
  }
}

function join(client: Socket, upstream: Socket): ProxiedConnection & { loseAnswer(): void } {
  let asked: Buffer[] = []
  let losesAnswer = false
  let isFrozen = false

  // As `pipe` does, which would not let us look at the bytes: the sender waits while the receiver is slow
  const pass = (bytes: Buffer, from: Socket, to: Socket) => {
    if (!to.write(bytes)) {
      from.pause()
      to.once('drain', () => isFrozen || from.resume())
    }
  }

  const cut = () => {
    client.resetAndDestroy()
    upstream.resetAndDestroy()
  }

  client.on('data', (bytes) => {
    asked.push(bytes)
    pass(bytes, client, upstream)
  })
  upstream.on('data', (bytes) => {
    asked = []

    if (losesAnswer) {
      cut()
    } else {
      pass(bytes, upstream, client)
    }
  })
  client.on('end', () => upstream.end()).on('close', () => upstream.destroy())
  upstream.on('end', () => client.end()).on('close', () => client.destroy())
  client.resume()

  return {
    waitsFor: (text) => Buffer.concat(asked).includes(text),
    cut,
    freeze() {
      isFrozen = true
      client.pause()
      upstream.pause()
    },
    thaw() {
      isFrozen = false
      client.resume()
      upstream.resume()
    },
    loseAnswer: () => (losesAnswer = true)
  }
}
