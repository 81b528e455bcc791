import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { atOnce, password, restClient } from '../support/rest.js'
import { connect, type TestSocket } from '../support/socket.js'
import { until } from '../support/until.js'
import { frame, openWebSocket } from '../support/web-socket.js'
import { from } from './limits.js'

/** A bare connection, what came over it, and how long it was held. */
async function raw(address: string, text = '') {
  const { hostname, port } = new URL(address)
  const socket = connectTcp(Number(port), hostname)
  const start = Date.now()
  const held = { socket, answer: '', ended: undefined as number | undefined }

  socket.on('data', (data: Buffer) => (held.answer += data.toString()))
  socket.on('error', () => {})
  socket.on('close', () => (held.ended = Date.now() - start))
  await once(socket, 'connect')
  socket.write(text)

  return held
}

const closed = async ({ socket }: { socket: Socket }) => {
  if (!socket.closed) {
    await once(socket, 'close')
  }
}

describe('a slow client', () => {
  let t: TestApp

  before(async () => {
    t = await startApp({ settings: { limits: { requestTimeout: '1s' } } })
  })
  after(() => t.stop())

  const head = 'POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90\r\n'
  const upgrade =
    'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n' +
    'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  const slow: Record<string, { text: string; drip: string }> = {
    'sends nothing': { text: '', drip: '' },
    'does not end its headers': { text: head, drip: 'X: y\r\n' },
    'does not end its body': { text: `${head}\r\n{"email": `, drip: ' ' },
    'begins a WebSocket and leaves it': { text: upgrade, drip: 'X: y\r\n' }
  }

  for (const [what, { text, drip }] of Object.entries(slow)) {
    it(`is let go when it ${what}`, async () => {
      const held = await raw(t.address, text)
      // A byte now and then does not help
      const dripping = setInterval(() => held.socket.write(drip), 200)

      await closed(held)
      clearInterval(dripping)
      assert.ok(held.ended! > 700 && held.ended! < 4000, `${held.ended} ms`)
    })
  }

  it('does not hold up the others', async () => {
    const many = await atOnce(200, () => raw(t.address, head))
    const start = Date.now()

    assert.equal((await restClient(t.address).ask('GET', '/health')).status, 200)
    assert.ok(Date.now() - start < 1000)
    await Promise.all(many.map(closed))
  })
})

describe('a request that is too large', () => {
  let t: TestApp

  before(async () => {
    t = await startApp({ settings: { limits: { body: 2000, headers: 3000 } } })
  })
  after(() => t.stop())

  it('is a 413 by its body', async () => {
    const { status } = await restClient(t.address).signIn('a@example.com', { password: 'x'.repeat(2000) })

    assert.equal(status, 413)
    assert.equal(
      (await restClient(t.address).signIn('a@example.com', { password: 'x'.repeat(1000) })).status,
      401
    )
  })

  it('is a 431 by its headers', async () => {
    const { ask } = restClient(t.address)

    assert.equal((await ask('GET', '/health', { headers: { 'X-Much': 'x'.repeat(3000) } })).status, 431)
    assert.equal((await ask('GET', '/health', { headers: { 'X-Much': 'x'.repeat(1000) } })).status, 200)
  })

  it('ends the socket that sent it', async () => {
    const socket = await connect(t.address)

    socket.socket.emit('find', 'health', { much: 'x'.repeat(2000) })
    assert.match(await socket.disconnected(), /transport/)
  })
})

describe('connections', () => {
  const few = { connectionsPerAddress: 5 }
  it('are limited per address for sockets, also if thirty connect at once, without affecting other addresses', () =>
    withApp({ settings: { proxies: 1, limits: few } }, async ({ address }) => {
      const tries = await atOnce(30, () => connect(address, from('192.0.2.1')).catch(() => undefined))
      const open = tries.filter((socket) => socket !== undefined)

      await later(100)
      assert.equal(open.filter(({ socket }) => socket.connected).length, 5)

      await assert.rejects(connect(address, from('192.0.2.9, 192.0.2.1')))
      close([await connect(address, from('192.0.2.2'))])

      // What is closed makes room
      close(open)
      await later(200)
      close([await connect(address, from('192.0.2.1'))])
    }))

  it('are limited for long polling, and the client is told why', () =>
    withApp({ settings: { proxies: 1, limits: few } }, async ({ address }) => {
      const polling = { transports: ['polling'] }
      const open = await atOnce(5, () => connect(address, from('192.0.2.1'), polling))
      const { status, body } = await restClient(address).ask('GET', '/socket.io/?EIO=4&transport=polling', {
        headers: from('192.0.2.1')
      })

      assert.equal(status, 403)
      assert.equal(body.message, 'Too many connections')
      close(open)
    }))

  it('are limited per address without a proxy, for any kind of request', () =>
    withApp({ settings: { limits: few } }, async ({ address }) => {
      const open = await atOnce(30, () => raw(address, 'GET / HTTP/1.1\r\n'))

      await later(200)
      assert.equal(open.filter(({ ended }) => ended === undefined).length, 5)
      open.forEach(({ socket }) => socket.destroy())
      await later(100)
      assert.equal((await restClient(address).ask('GET', '/health')).status, 200)
    }))

  it('are limited in total', () =>
    withApp({ settings: { proxies: 1, limits: { connections: 8 } } }, async ({ address }) => {
      const open = await atOnce(30, () => raw(address, 'GET / HTTP/1.1\r\n'))

      await later(200)
      assert.equal(open.filter(({ ended }) => ended === undefined).length, 8)
      open.forEach(({ socket }) => socket.destroy())
    }))
})

describe('an upgrade to anything but a socket', () => {
  const upgrade = 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'
  const before = { 'of a new connection': '', 'after a request': 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n' }

  for (const [when, request] of Object.entries(before)) {
    it(`${when} is refused, and leaves nothing behind`, () =>
      withApp({ settings: { limits: { connectionsPerAddress: 5 } } }, async ({ address }) => {
        for (let round = 0; round < 10; round++) {
          const held = await raw(address, request)

          await until('the answer', () => held.answer !== '' || request === '')
          held.answer = ''
          held.socket.write(upgrade)
          await until('the end of the connection', () => held.ended !== undefined, 3000)
          assert.match(held.answer, /^HTTP\/1\.1 400 /)
        }

        assert.equal((await restClient(address).ask('GET', '/health')).status, 200)
      }))
  }
})

describe('a flood of calls from one address', () => {
  const many = 200
  const request = (path: string, ip: string) =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: ${ip}\r\n\r\n`

  it('over as many connections does not delay a request from another', () =>
    withApp({ settings: { proxies: 1 } }, async ({ address }) => {
      // Once the service has accepted it
      const open = async (ip: string) => {
        const held = await raw(address, request('/health', ip))

        await until('the answer', () => held.answer !== '')
        return held
      }
      const flood = await atOnce(many, () => open('192.0.2.1'))
      const quiet = await open('192.0.2.2')
      const answered = () => flood.filter(({ answer }) => answer.includes('Public board')).length

      flood.forEach(({ socket }) => socket.write(request('/content', '192.0.2.1')))
      quiet.socket.write(request('/content', '192.0.2.2'))
      await once(quiet.socket, 'data')
      assert.ok(answered() < many / 2, `${answered()} were answered first`)

      // Each gets its turn
      await until('all answers', () => answered() === many)
      ;[quiet, ...flood].forEach(({ socket }) => socket.destroy())
    }))

  it('over as many sockets does not delay one of another', () =>
    withApp({ settings: { proxies: 1 } }, async ({ address }) => {
      const open = async (ip: string) => {
        const socket = await openWebSocket(address, from(ip))

        socket.tcp.write(frame('40'))
        await until('the socket', () => socket.received().includes('40{'))
        return socket
      }
      const flood = await atOnce(many, () => open('192.0.2.1'))
      const quiet = await open('192.0.2.2')
      const isAnswered = ({ received }: { received(): string }) => received().includes('431[')
      const answered = () => flood.filter(isAnswered).length

      flood.forEach(({ tcp }) => tcp.write(frame('421["find","content",{}]')))
      quiet.tcp.write(frame('421["find","content",{}]'))
      await once(quiet.tcp, 'data')
      assert.ok(answered() < many / 2, `${answered()} were answered first`)

      await until('all answers', () => answered() === many)
      ;[quiet, ...flood].forEach(({ tcp }) => tcp.destroy())
    }))
})

describe('a flood of calls on one socket', () => {
  it('is answered, every call of it, and does not delay other sockets', () =>
    withApp({}, async ({ address }) => {
      const client = restClient(address)
      const { email } = await client.signUp()
      const [flood, quiet] = await Promise.all([connect(address), connect(address)])

      await Promise.all(
        [flood, quiet].map(({ call }) =>
          call('create', 'authentication', { strategy: 'local', email, password })
        )
      )

      let answered = 0
      const calls = atOnce(900, () => flood.call('find', 'sessions').finally(() => answered++))

      await quiet.call('find', 'sessions')
      assert.ok(answered < 450, `${answered} were answered first`)
      assert.equal((await calls).length, 900)
      close([flood, quiet])
    }))

  it('is answered in order, even if some calls want no answer or go to no service', () =>
    withApp({ settings: { limits: { callsPerSocket: 1 } } }, async ({ address }) => {
      const socket = await connect(address)
      const order: number[] = []

      for (let round = 0; round < 20; round++) {
        socket.socket.emit('find', 'health')
        socket.socket.emit('find', 'nowhere')
        socket.socket.emit('nonsense')
      }
      await atOnce(30, (index) => socket.call('find', 'health').then(() => order.push(index)))

      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b)
      )
      socket.close()
    }))

  it('is not processed while its answers are not read', () =>
    withApp({}, async ({ address, app }) => {
      let calls = 0

      app.service('content').hooks({
        after: {
          find: [
            (context) => {
              calls++
              context.result = 'x'.repeat(50_000) as never
            }
          ]
        }
      })

      const socket = await connect(address)
      const connection: Socket = (socket.socket.io.engine as any).transport.ws._socket

      connection.pause()
      for (let sent = 0; sent < 900; sent++) {
        socket.socket.emit('find', 'content', () => {})
      }

      let before: number

      do {
        before = calls
        await later(1000)
      } while (calls > before)

      assert.ok(calls > 0 && calls < 800, `${calls} calls`) // what the buffers of the network hold
      connection.destroy()
    }))
})

const close = (sockets: TestSocket[]) => sockets.forEach((socket) => socket.close())
