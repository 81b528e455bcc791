import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import { withApp } from '../support/app.js'
import { startMeasured, type MeasuredApp } from '../support/measured-app.js'
import { atOnce, restClient } from '../support/rest.js'
import { connect, poll } from '../support/socket.js'
import { frame, openPolling, openWebSocket, type RawWebSocket } from '../support/web-socket.js'
import { from } from './limits.js'

const bytesPerConnection = 262_144
const limits = { bytesPerConnection, bytesPerAddress: 1_048_576, readTimeout: '2s' }
const separator = '\x1e' // between the packets of a poll

/** Calls of the service, each with its answer asked for, of about so many bytes. */
const callPacket = (id: number, bytes = 0) => `42${id}["get","content","${'x'.repeat(bytes)}"]`

describe('what a connection makes the process hold', () => {
  let service: MeasuredApp
  let open: RawWebSocket[] = []

  before(async () => {
    service = await startMeasured({ limits: { connections: 500 }, proxies: 1 })
  })
  after(() => service.stop())

  const closeAll = () => open.splice(0).forEach(({ tcp }) => tcp.destroy())

  it('is one socket, even if it asks to join many times', async () => {
    const before = await service.resident()

    open = await atOnce(12, () => openWebSocket(service.address))
    open.forEach(({ tcp }) => tcp.write(Buffer.concat(Array.from({ length: 8000 }, () => frame('40')))))
    await Promise.all(open.map(({ closed }) => closed()))

    const grown = (await service.resident()) - before

    assert.equal(await service.sockets(), 0)
    assert.ok(grown < 40, `The process grew by ${grown} MiB`)
  })

  it('is one socket over long polling, too, with a token in its headers or without', async () => {
    const { accessToken } = await restClient(service.address).newLogin()
    const before = await service.resident()

    for (const headers of [undefined, { Authorization: `Bearer ${accessToken}` }]) {
      const url = await openPolling(service.address)

      await fetch(url, {
        method: 'POST',
        body: Array(33_000).fill('40').join(separator),
        ...(headers && { headers })
      })
      assert.match(await (await fetch(url)).text(), /Session ID unknown/)
    }

    const grown = (await service.resident()) - before

    assert.equal(await service.sockets(), 0)
    assert.ok(grown < 40, `The process grew by ${grown} MiB`)
  })

  it('is no more than its headers and the data it joins with, which are limited', async () => {
    const [modest, greedy] = await atOnce(2, () => openWebSocket(service.address))

    modest!.tcp.write(frame(`40${JSON.stringify({ token: 'x'.repeat(16_000) })}`))
    greedy!.tcp.write(frame(`40${JSON.stringify({ token: 'x'.repeat(17_000) })}`))
    await greedy!.closed()
    await poll(() => modest!.received().includes('40{'), 'the socket')
    modest!.tcp.destroy()
  })

  it('does not affect a client that joins once, in any namespace', async () => {
    const stranger = await openWebSocket(service.address)

    stranger.tcp.write(frame('40/nowhere,'))
    await poll(() => /44\/nowhere,.*Invalid namespace/.test(stranger.received()), 'the refusal')
    assert.equal(stranger.isClosed(), false)
    stranger.tcp.destroy()
  })

  it('of a message in very many parts, is little: it ends the connection', async () => {
    const before = await service.resident()
    const part = Buffer.from([0x00, 0x81, 0, 0, 0, 0, 0x78])
    const begin = Buffer.from([0x01, 0x81, 0, 0, 0, 0, 0x34])
    const many = Buffer.concat([begin, ...Array.from({ length: 16_000 }, () => part)])

    open = await atOnce(60, () => openWebSocket(service.address))
    open.forEach(({ tcp }) => tcp.write(Buffer.concat([frame('40'), many])))
    await later(2000)

    const grown = (await service.resident()) - before

    assert.equal(await service.sockets(), 0)
    assert.ok(grown < 40, `The process grew by ${grown} MiB`)
    closeAll()
  })

  it('of network packets of a byte, is little: they end the connection', async () => {
    const slow = await openWebSocket(service.address)
    const message = frame(callPacket(1, 5000))

    slow.tcp.setNoDelay()
    slow.tcp.write(frame('40'))
    for (let at = 0; at < message.length && !slow.isClosed(); at++) {
      slow.tcp.write(message.subarray(at, at + 1))
      await later(1)
    }
    await slow.closed()
  })

  it('does not affect a message in a hundred parts', async () => {
    const { tcp, received } = await openWebSocket(service.address)
    const text = callPacket(1)
    const parts = Array.from({ length: 99 }, (_, index) =>
      text.slice(index, index === 98 ? undefined : index + 1)
    )
    const fragments = parts.map((part, index) => {
      const bytes = frame(part, index === 0 ? 1 : 0)

      bytes[0]! &= index === 98 ? 0xff : 0x7f // FIN, RFC 6455 §5.2
      return bytes
    })

    tcp.write(Buffer.concat([frame('40'), ...fragments]))
    await poll(() => received().includes('431['), 'the answer')
    tcp.destroy()
  })

  it('of pings, is no more than one answer at a time', async () => {
    const before = await service.resident()
    const pinging = await openWebSocket(service.address)
    const pings = Buffer.concat(Array.from({ length: 10_000 }, () => frame('', 9)))

    pinging.tcp.pause()
    for (let sent = 0; sent < 20 && !pinging.isClosed(); sent++) {
      if (!pinging.tcp.write(pings)) {
        await Promise.race([once(pinging.tcp, 'drain'), pinging.closed(), later(2000)])
      }
    }

    const grown = (await service.resident()) - before

    assert.ok(grown < 40, `The process grew by ${grown} MiB`)
    pinging.tcp.destroy()
    closeAll()
  })
})

describe('a client that does not read', () => {
  it('is disconnected when what waits for it exceeds the limit, and others are not', async () => {
    const service = await startMeasured({ limits: { ...limits, readTimeout: '1h', body: 10_000 } })
    const [deaf, hearing] = await Promise.all([openWebSocket(service.address), connect(service.address)])

    deaf.tcp.write(frame('40'))
    await poll(async () => (await service.sockets()) === 2, 'both sockets')
    deaf.tcp.pause()

    // The network takes the first of it
    await poll(
      async () => {
        await service.broadcast(100_000)
        return (await service.sockets()) === 1
      },
      'the end of the connection',
      30_000
    )
    assert.equal(hearing.socket.connected, true)
    hearing.close()
    deaf.tcp.destroy()
    await service.stop()
  })

  it('is disconnected when something has waited for too long', async () => {
    const service = await startMeasured({ limits: { readTimeout: '1s' } })
    const deaf = await openWebSocket(service.address)

    deaf.tcp.write(frame('40'))
    await poll(async () => (await service.sockets()) === 1, 'the socket')
    deaf.tcp.pause()
    for (let sent = 0; sent < 9; sent++) {
      await service.broadcast(900_000)
    }
    await poll(async () => (await service.sockets()) === 0, 'the end of the connection')
    deaf.tcp.destroy()
    await service.stop()
  })

  it('is disconnected by long polling, too, while it posts calls', () =>
    withApp({ settings: { limits } }, async ({ address, app }) => {
      const url = await openPolling(address)

      await fetch(url, { method: 'POST', body: '40' })
      await fetch(url)

      let posted = 0

      for (let status = 200; status === 200 && posted < 100; posted++) {
        const body = Array.from({ length: 30 }, (_, id) => callPacket(id, 3000)).join(separator)

        ;({ status } = await fetch(url, { method: 'POST', body }))
      }

      assert.ok(posted < 20, `${posted} posts of 90 kB were taken`)
      assert.equal(app.io.sockets.sockets.size, 0)
    }))

  it('is disconnected in the middle of a response over HTTP', () =>
    withApp(
      {
        settings: { limits: { readTimeout: '2s', bytesPerAddress: 100_000_000 } },
        configure: (app) =>
          app.service('content').hooks({
            after: { find: [(context) => void (context.result = 'x'.repeat(30_000_000) as never)] }
          })
      },
      async ({ address }) => {
        const response = await fetch(`${address}/content`)

        await later(5000)
        await assert.rejects(response.text(), /terminated/)
        // A client that reads gets all of it
        assert.ok((await (await fetch(`${address}/content`)).text()).length >= 30_000_000)
      }
    ))
})

describe('calls that wait over long polling', () => {
  it('are all answered, up to the limit of bytes', () =>
    withApp({ settings: { limits: { callsPerSocket: 100 } } }, async ({ address }) => {
      const socket = await connect(address, {}, { transports: ['polling'] })
      const answers = await atOnce(1200, () => socket.call('find', 'health'))

      assert.equal(answers.length, 1200)
      assert.ok(answers.every(({ status }) => status === 'ok'))
      socket.close()
    }))

  it('hold the event loop for one packet at a time', async () => {
    const service = await startMeasured()
    const body = Array.from({ length: 3500 }, (_, id) => `42${id}["find","nowhere"]`).join(separator)
    const holds: number[] = []

    for (let attempt = 0; attempt < 5; attempt++) {
      const url = await openPolling(service.address)

      await fetch(url, { method: 'POST', body: '40' })
      await fetch(url)
      holds.push(
        await service.longestHold(async () => {
          assert.equal((await fetch(url, { method: 'POST', body })).status, 200)
          assert.match(await (await fetch(url)).text(), /NotFound/)
        })
      )
    }

    assert.ok(Math.min(...holds) < 40, `The loop was held for ${holds.join(', ')} ms`)
    await service.stop()
  })
})

describe('what an address makes the process hold', () => {
  const [one, other] = [from('192.0.2.1'), from('192.0.2.2')]

  it('is bounded over all its connections, and leaves other addresses alone', () =>
    withApp({ settings: { proxies: 1, limits } }, async ({ address }) => {
      const hearing = await connect(address, other)
      const open = await atOnce(30, () => openWebSocket(address, one))
      // Of a message that does not end
      const part = frame('x'.repeat(90_000)).subarray(0, 80_000)

      open.forEach(({ tcp }) => tcp.write(part))
      await poll(() => open.filter(({ isClosed }) => isClosed()).length >= 15, 'the end of the superfluous')
      await later(1500)

      const left = open.filter(({ isClosed }) => !isClosed())

      assert.ok(left.length >= 5 && left.length <= 13, `${left.length} are left`)
      assert.equal(hearing.socket.connected, true)
      hearing.close()
      open.forEach(({ tcp }) => tcp.destroy())
    }))

  it('is bounded for headers, which are kept as long as the connection', () =>
    withApp({ settings: { proxies: 1, limits } }, async ({ address }) => {
      const headers = { ...one, 'X-Much': 'x'.repeat(15_000) }
      const open = await atOnce(100, () => openWebSocket(address, headers).catch(() => undefined))

      open.forEach((socket) => socket?.tcp.write(frame('40')))
      await poll(() => open.some((socket) => socket?.isClosed()), 'the end of the superfluous')
      open.forEach((socket) => socket?.tcp.destroy())
    }))

  it('is bounded for calls that run', () =>
    withApp(
      {
        settings: { proxies: 1, limits },
        configure: (app) => app.service('content').hooks({ before: { get: [() => later(3000)] } })
      },
      async ({ address }) => {
        const open = await atOnce(20, () => openWebSocket(address, one))

        for (const { tcp } of open) {
          tcp.write(frame('40'))
          tcp.write(frame(callPacket(1, 90_000)))
        }
        await poll(() => open.some(({ isClosed }) => isClosed()), 'the end of the superfluous', 2500)
        open.forEach(({ tcp }) => tcp.destroy())
      }
    ))

  it('is bounded for requests, too', () =>
    withApp({ settings: { limits } }, async ({ address }) => {
      const { hostname, port, host } = new URL(address)
      const open = await atOnce(30, async () => {
        const tcp = connectTcp(Number(port), hostname)
        const held = { tcp, isClosed: false }

        tcp.on('close', () => (held.isClosed = true)).on('error', () => {})
        await once(tcp, 'connect')
        tcp.write(
          `POST /users HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n`
        )
        tcp.write(' '.repeat(80_000))
        return held
      })

      await poll(() => open.some(({ isClosed }) => isClosed), 'the end of the superfluous')
      open.forEach(({ tcp }) => tcp.destroy())
    }))
})

describe('pipelined requests', () => {
  it('are answered in turn, up to a limit', () =>
    withApp({}, async ({ address }) => {
      const { host } = new URL(address)
      const request = `GET /health HTTP/1.1\r\nHost: ${host}\r\n\r\n`
      const few = await answersTo(address, request.repeat(10))
      const many = await answersTo(address, request.repeat(2000))

      assert.equal(few, 10)
      assert.ok(many < 50, `${many} were answered`)
      assert.equal((await restClient(address).ask('GET', '/health')).status, 200)
    }))
})

describe('a body in very many chunks', () => {
  it('ends its connection', () =>
    withApp({}, async ({ address }) => {
      const { host } = new URL(address)
      const head =
        `POST /users HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n` +
        'Transfer-Encoding: chunked\r\n\r\n'
      const chunks = (count: number) => `${head}${'1\r\n \r\n'.repeat(count)}2\r\n{}\r\n0\r\n\r\n`

      assert.equal(await statusOf(address, chunks(900)), '400')
      assert.equal(await statusOf(address, chunks(20_000)), undefined)
    }))
})

/** The status of the answer to these bytes; undefined without one. */
async function statusOf(address: string, text: string): Promise<string | undefined> {
  const { hostname, port } = new URL(address)
  const tcp = connectTcp(Number(port), hostname)
  let received = ''

  tcp.on('data', (data: Buffer) => (received += data.toString())).on('error', () => {})
  tcp.write(text)
  await new Promise<unknown>((resolve) => tcp.once('close', resolve).once('data', resolve))
  tcp.destroy()

  return /^HTTP\/1\.1 (\d+)/.exec(received)?.[1]
}

/** How many answers come within a second. */
async function answersTo(address: string, text: string): Promise<number> {
  const { hostname, port } = new URL(address)
  const tcp = connectTcp(Number(port), hostname)
  let received = ''

  tcp.on('data', (data: Buffer) => (received += data.toString())).on('error', () => {})
  tcp.write(text)
  await later(1000)
  tcp.destroy()

  return received.split('HTTP/1.1 200').length - 1
}
