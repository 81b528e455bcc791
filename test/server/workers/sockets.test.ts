import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { freePort } from '../../../src/dev/mongod/process.js'
import { disconnectedInTime, heard, socketsOf, type SignedInSocket } from '../../support/live.js'
import { handshake, workerOf, type Line } from '../../support/line.js'
import { isAlive } from '../../support/mongod.js'
import { atOnce, restClient } from '../../support/rest.js'
import { makePlace, type Place, type TestService } from '../../support/service.js'
import { poll } from '../../support/socket.js'
import { until } from '../../support/until.js'
import { linesToBoth, workersOf } from '../../support/workers.js'

describe('sockets of two workers', () => {
  let place: Place
  let service: TestService
  let lines: Line[]
  const sockets = socketsOf(() => service.address)

  before(async () => {
    place = await makePlace()
    service = await place.start({ WORKERS: '2' })
    lines = await linesToBoth(service.address)
  })
  after(async () => {
    sockets.closeAll()
    lines.forEach((line) => line.close())
    await place.remove()
  })

  /** Sockets of a session, of which there is one in each worker at least. */
  async function ofSessionInBoth(login: { accessToken: string }): Promise<SignedInSocket[]> {
    const opened = await atOnce(6, () => sockets.ofSession(login))

    assert.deepEqual(new Set(opened.map(workerWith)), new Set(lines.map(({ worker }) => worker)))
    return opened
  }

  const workerWith = ({ socket }: SignedInSocket) => workerOf(socket.io.engine.id)

  /** A connection over which an anonymous client speaks for itself. */
  async function rawConnection(): Promise<Socket> {
    const { hostname, port } = new URL(service.address)
    const socket = connectTcp(Number(port), hostname)

    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }

  const ends: Record<string, [string, (line: Line, login: Login) => Promise<{ status: number }>]> = {
    'a logout': [
      'logout',
      (line, { accessToken: token }) => line.ask('DELETE', '/authentication', { token })
    ],
    'the end of a session': [
      'revoked',
      (line, { session, others }) => line.ask('DELETE', `/sessions/${session.id}`, { token: others })
    ]
  }

  interface Login {
    accessToken: string
    session: { id: string }
    /** The token of another session of the user. */
    others: string
  }

  for (const [what, [reason, end]] of Object.entries(ends)) {
    it(`hear of ${what} within a second, on both workers`, async () => {
      for (const line of lines) {
        const { email } = await service.client.signUp()
        const { body: login } = await service.client.signIn(email)
        const { body: other } = await service.client.signIn(email)
        const [staying, ...leaving] = [await sockets.ofSession(other), ...(await ofSessionInBoth(login))] as [
          SignedInSocket,
          ...SignedInSocket[]
        ]
        const { status } = await end(line, { ...login, others: other.accessToken })

        assert.equal(status, 200)
        assert.deepEqual(
          await Promise.all(leaving.map(disconnectedInTime)),
          leaving.map(() => 'io server disconnect')
        )

        for (const socket of leaving) {
          const told = heard(socket, 'sessions removed')

          assert.deepEqual(
            told.map(({ id, reason, current }) => [id, reason, current]),
            [[login.session.id, reason, true]]
          )
        }

        const { id, current } = await staying.next('sessions removed')

        assert.deepEqual([id, current], [login.session.id, false])
        assert.ok(staying.socket.connected)
      }
    })
  }

  it('are not upgraded by a request that only names an upgrade', async () => {
    // Some of them come to the worker that has none of that name
    await atOnce(8, async (index) => {
      const socket = await rawConnection()
      const owner = lines[index >> 2]!.worker
      let said = ''

      socket.setEncoding('utf8').on('data', (text: string) => (said += text))
      socket.write(`GET ${handshake}&sid=${owner}-x HTTP/1.1\r\nHost: x\r\nUpgrade: foo\r\n\r\n`)
      await poll(() => said.includes('Session ID unknown'), 'the refusal')
      socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n')
      await poll(() => said.endsWith('{"status":"ok"}'), `the answer after ${said}`)
      socket.destroy()
    })
  })

  const begun: Record<string, (owner: string) => string> = {
    'an upgrade': (owner) =>
      `GET /socket.io/?EIO=4&transport=websocket&sid=${owner}-x HTTP/1.1\r\nHost: x\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    'a body': (owner) =>
      `POST ${handshake}&sid=${owner}-x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n40`
  }

  for (const [what, head] of Object.entries(begun)) {
    it(`cost no worker its life when a client hangs up in the middle of ${what}`, async () => {
      const workers = await workersOf(service)

      for (let round = 0; round < 20; round++) {
        await atOnce(20, async (index) => {
          const socket = await rawConnection()
          const closed = once(socket, 'close')

          socket.write(head(lines[index % 2]!.worker), () =>
            setTimeout(() => socket.resetAndDestroy(), round % 4)
          )
          await closed
        })
      }

      assert.equal((await service.client.ask('GET', '/health')).status, 200)
      assert.deepEqual(await workersOf(service), workers)
    })
  }

  it('do not keep a worker that is told to stop while it forwards those of the other', async () => {
    const transports = { transports: ['polling', 'websocket'] }
    const open = await atOnce(12, () => sockets.anonymous({}, transports))

    for (const { socket } of open) {
      await until('it is a WebSocket', () => socket.io.engine.transport.name === 'websocket')
    }

    const [first] = await workersOf(service)

    process.kill(first!, 'SIGTERM')
    await until('the worker has ended', () => !isAlive(first!), 10_000)
  })
})

describe('a worker that is killed while its metrics are read', () => {
  let place: Place

  before(async () => {
    place = await makePlace()
  })
  after(() => place.remove())

  it('does not take the others with it', async () => {
    const port = await freePort()
    const service = await place.start({ WORKERS: '2', METRICS_PORT: String(port) })
    const scraper = restClient(`http://localhost:${port}`)
    const [victim] = await workersOf(service)
    let isOver = false
    const scrapes = atOnce(16, async () => {
      while (!isOver) await scraper.ask('GET', '/metrics')
    })

    process.kill(victim!, 'SIGKILL')
    await service.said(/A worker ended \(SIGKILL\)/)
    isOver = true
    await scrapes
    assert.ok(isAlive(service.pid))
    assert.equal((await service.client.ask('GET', '/health')).status, 200)
  })
})
