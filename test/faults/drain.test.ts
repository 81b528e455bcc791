import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it, type TestContext } from 'node:test'
import { socketClient, type OfficialClient } from '../support/clients.js'
import { startRefreshing } from '../support/refreshing.js'
import { password, restClient } from '../support/rest.js'
import { violations } from '../support/rotation-model.js'
import { goodSecrets, makePlace, type Place } from '../support/service.js'
import { connect, poll } from '../support/socket.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'

const grace = 5000 // ms that requests in flight are given
const overhead = 2000 // ms: a process that ends on a busy machine

const settings = (more: object = {}) => ({
  ...goodSecrets,
  NODE_CONFIG: JSON.stringify({ rateLimit: false, ...more })
})
const slowHashes = { passwords: { memoryCost: 19456, timeCost: 40 } }
const portOf = ({ address }: { address: string }) => Number(new URL(address).port)

describe('a service that is told to stop', () => {
  let place: Place
  let balancer: TcpProxy | undefined
  const open: OfficialClient[] = []

  before(async () => {
    place = await makePlace()
  })
  afterEach(async () => {
    open.splice(0).forEach((client) => client.close())
    await balancer?.close()
    balancer = undefined
    await place.killAll()
  })
  after(() => place?.remove())

  it('finishes slow sign-ins in progress, over HTTP and on a socket', async () => {
    const service = await place.start(settings(slowHashes))
    const { email } = await service.client.signUp()
    const socket = await connect(service.address)
    const overHttp = service.client.signIn(email)
    const onSocket = socket.call('create', 'authentication', { strategy: 'local', email, password })

    // Answered after the sign-in was read, and long before it is answered
    await socket.call('find', 'health')
    await service.client.ask('GET', '/health')

    const signalled = performance.now()

    service.kill('SIGTERM')

    const [{ status }, login] = await Promise.all([overHttp, onSocket])

    assert.equal(status, 201)
    assert.ok(login.refreshToken)
    assert.equal(await socket.disconnected(), 'transport close')
    assert.equal((await service.outcome).code, 0)
    assert.ok(performance.now() - signalled < grace + overhead)
    await assert.rejects(restClient(service.address).ask('GET', '/health'))
  })

  for (const transport of ['websocket', 'polling']) {
    it(`does not wait for idle sockets (${transport}), which reconnect`, async () => {
      const service = await place.start(settings())
      const socket = await connect(service.address, {}, { transports: [transport] })
      const signalled = performance.now()

      service.kill('SIGTERM')
      assert.equal((await service.outcome).code, 0)
      assert.ok(performance.now() - signalled < grace)
      assert.match(await socket.disconnected(), /transport (close|error)/)
    })
  }

  it('lets its clients continue at another one by themselves', async (t: TestContext) => {
    const [first, second] = await Promise.all([place.start(settings()), place.start(settings())])

    balancer = await startTcpProxy(portOf(first), portOf(second))

    const address = `http://127.0.0.1:${balancer.port}`
    const sockets = await Promise.all(Array.from({ length: 3 }, () => signedIn(address)))
    const refreshing = await startRefreshing([address], { alone: 6, paired: 2 })

    await refreshing.goOn(50)
    balancer.targets.shift()

    const signalled = performance.now()

    first.kill('SIGTERM')
    assert.equal((await first.outcome).code, 0)

    const time = performance.now() - signalled

    await refreshing.goOn(50)
    await refreshing.stop()
    await refreshing.refreshOnceMore()

    for (const { client, ends, login } of sockets) {
      await poll(() => client.io.connected, 'the connection to the other service')
      assert.deepEqual(ends, ['transport close'])
      assert.equal((await client.get('authentication')).accessToken, login.accessToken)
      assert.equal((await client.service('sessions').find()).length, 1)
    }

    const { presentations, lost } = refreshing
    const unanswered = presentations.filter(({ outcome }) => outcome === 'lost')

    t.diagnostic(
      `${refreshing.granted()} refreshes over connections that are kept, ${sockets.length} sockets, one of two ` +
        `services stopped within ${Math.round(time)} ms: ${unanswered.length} without an answer, ${lost.length} sessions lost`
    )
    assert.ok(time < grace + overhead)
    assert.deepEqual(lost, [])
    assert.deepEqual(violations(presentations), [])
  })

  async function signedIn(address: string) {
    const { email } = await restClient(address).signUp()
    const official = socketClient(address)
    const { client } = official
    const ends: string[] = []

    open.push(official)
    client.io.on('disconnect', (reason: string) => ends.push(reason))

    return { client, ends, login: await client.authenticate({ strategy: 'local', email, password }) }
  }
})
