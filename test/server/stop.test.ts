import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http'
import { connect as connectTo } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { makePlace, type Place } from '../support/service.js'
import { connect, poll } from '../support/socket.js'

const longestStop = 4000 // ms: long for a stop, but shorter than the 5 s that Node keeps a connection
const signals = ['SIGTERM', 'SIGINT'] as const

describe('the stop', () => {
  let place: Place

  before(async () => {
    place = await makePlace()
  })
  afterEach(() => place.killAll())
  after(() => place.remove())

  for (const signal of signals) {
    it(`stops at once on ${signal}, with exit code 0, though clients are connected`, async () => {
      const { address, kill, outcome } = await place.start()
      const socket = await connect(address)
      const agent = new Agent({ keepAlive: true })

      await statusOf(`${address}/health`, agent)

      const signalled = performance.now()

      kill(signal)

      const { code, stderr } = await outcome

      assert.equal(code, 0)
      assert.equal(stderr, '')
      assert.ok(performance.now() - signalled < longestStop)
      await socket.disconnected()
      agent.destroy()
    })

    it(`lets requests in flight finish on ${signal}`, async () => {
      const { address, kill, outcome } = await place.start()
      const pending = await pendingSignUp(address)

      kill(signal)
      await refused(address)

      const { statusCode } = await pending.finish()

      assert.equal(statusCode, 201)
      assert.equal((await outcome).code, 0)
    })
  }

  it('closes connections that clients keep using', async () => {
    const { address, kill, outcome } = await place.start()
    const agent = new Agent({ keepAlive: true })
    const statuses: unknown[] = []
    const askOn = async () => {
      for (;;) {
        statuses.push(await statusOf(`${address}/health`, agent))
      }
    }
    const ends = Array.from({ length: 10 }, () => askOn().catch(({ code }: { code?: string }) => code))

    await poll(() => statuses.length > 50, 'the first answers')

    const signalled = performance.now()

    kill('SIGTERM')
    assert.equal((await outcome).code, 0)
    assert.ok(performance.now() - signalled < longestStop)

    for (const end of ends) {
      assert.ok(['ECONNREFUSED', 'ECONNRESET'].includes((await end)!))
    }

    assert.deepEqual([...new Set(statuses)], [200])
    agent.destroy()
  })

  it('does not wait for a WebSocket whose client is silent', async () => {
    const { address, kill, outcome } = await place.start()
    const { hostname, port } = new URL(address)
    const silent = connectTo(Number(port), hostname)

    silent.on('error', () => undefined)
    silent.write(
      'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n' +
        'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
    )
    assert.match(String((await once(silent, 'data'))[0]), /^HTTP\/1\.1 101/)

    const signalled = performance.now()

    kill('SIGTERM')
    assert.equal((await outcome).code, 0)
    assert.ok(performance.now() - signalled < 3 * longestStop)
    silent.destroy()
  })

  it('does not wait for a request that never ends', async () => {
    const { address, kill, outcome } = await place.start()
    const pending = await pendingSignUp(address)

    pending.request.on('error', () => undefined)

    const signalled = performance.now()

    kill('SIGTERM')
    assert.equal((await outcome).code, 0)
    assert.ok(performance.now() - signalled < 3 * longestStop)
  })
})

function statusOf(url: string, agent: Agent): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { agent }, (response) => response.resume().on('end', () => resolve(response.statusCode)))
      .on('error', reject)
      .end()
  })
}

/** Waits until nothing listens at an address any more. */
async function refused(address: string): Promise<void> {
  const { hostname, port } = new URL(address)

  const isRefused = () =>
    new Promise<boolean>((resolve) => {
      const socket = connectTo(Number(port), hostname)

      socket.once('connect', () => {
        socket.destroy()
        resolve(false)
      })
      socket.once('error', () => resolve(true))
    })

  await poll(isRefused, 'the end of listening')
}

/** A sign-up of which the service has read the head, and waits for the rest. */
async function pendingSignUp(
  address: string
): Promise<{ request: ClientRequest; finish(): Promise<IncomingMessage> }> {
  const body = JSON.stringify({ email: `${process.hrtime.bigint()}@example.com`, password: 'correct horse' })
  const pending = request(`${address}/users`, {
    method: 'POST',
    agent: false,
    headers: { 'Content-Type': 'application/json', 'Content-Length': body.length, Expect: '100-continue' }
  })

  pending.flushHeaders()
  await once(pending, 'continue')

  return {
    request: pending,
    async finish() {
      pending.end(body)

      const [response] = await once(pending, 'response')

      return response.resume()
    }
  }
}
