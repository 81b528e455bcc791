import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { connect as connectTcp, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import type { ManagerOptions, SocketOptions } from 'socket.io-client'
import { socketClient } from '../../support/clients.js'
import { handshake, openLine, workerOf, type Line } from '../../support/line.js'
import { isAlive, mongodOf } from '../../support/mongod.js'
import { runScript } from '../../support/process.js'
import { atOnce, password } from '../../support/rest.js'
import { makePlace, type Environment, type Place, type TestService } from '../../support/service.js'
import { connect } from '../../support/socket.js'
import { until } from '../../support/until.js'
import { linesTo, linesToBoth, workersOf } from '../../support/workers.js'

const transports: Record<string, Partial<ManagerOptions & SocketOptions>> = {
  'long-polling': { transports: ['polling'] },
  'long-polling that becomes a WebSocket': { transports: ['polling', 'websocket'] },
  'a WebSocket': { transports: ['websocket'] }
}

/** s of CPU that processes have used. */
async function cpuOf(pids: number[]): Promise<number> {
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8')))

  // proc(5): utime and stime, in hundredths; the name before them may hold blanks
  return stats
    .map((stat) => stat.split(') ')[1]!.split(' ').slice(11, 13).map(Number))
    .flat()
    .reduce((sum, ticks) => sum + ticks / 100, 0)
}

/** Whether a worker takes one of some connections. */
async function isServedBy(address: string, worker: string): Promise<boolean> {
  const lines = await linesTo(address)

  lines.forEach((line) => line.close())
  return lines.has(worker)
}

/** The settings of a place, and more. */
const withSettings = (place: Place, more: object): Environment => ({
  WORKERS: '2',
  NODE_CONFIG: JSON.stringify({ ...JSON.parse(place.environment().NODE_CONFIG!), ...more })
})

describe('two workers', () => {
  let place: Place
  let service: TestService

  before(async () => {
    place = await makePlace()
    service = await place.start(withSettings(place, { proxies: 1 }))
  })
  after(() => place.remove())

  const behindProxy = { 'X-Forwarded-For': '192.0.2.7' }

  it('both serve, and notice what the other did', async () => {
    const { address, client } = service
    const [one, other] = (await linesToBoth(address)) as [Line, Line]
    const { accessToken, refreshToken, session } = await client.newLogin()
    const refresh = { body: { strategy: 'refresh-token', refreshToken } }

    assert.equal((await workersOf(service)).length, 2)
    assert.equal((await one.ask('POST', '/authentication', refresh)).status, 201)
    assert.equal((await other.ask('GET', '/sessions', { token: accessToken })).body[0].id, session.id)
    assert.equal((await one.ask('DELETE', '/authentication', { token: accessToken })).status, 200)

    const { status, body } = await other.ask('GET', '/sessions', { token: accessToken })

    assert.deepEqual([status, body.data], [401, { reason: 'revoked' }])
    one.close()
    other.close()
  })

  for (const [transport, options] of Object.entries(transports)) {
    it(`answer each socket of ${transport}, in the worker that has it`, async () => {
      const { address, client } = service
      const { accessToken, session } = await client.newLogin()
      const sockets = await atOnce(16, () => connect(address, behindProxy, options))

      await Promise.all(
        sockets.map(async ({ call, socket }) => {
          await call('create', 'authentication', { strategy: 'jwt', accessToken })
          if (transport !== 'long-polling') {
            await until('it is a WebSocket', () => socket.io.engine.transport.name === 'websocket')
          }
          for (let times = 0; times < 5; times++) {
            assert.equal((await call('find', 'sessions'))[0].id, session.id)
          }
        })
      )

      assert.equal(new Set(sockets.map(({ socket }) => workerOf(socket.io.engine.id))).size, 2)
      sockets.forEach((socket) => socket.close())
    })

    it(`know the address of a client by ${transport}`, async () => {
      const { address, client } = service
      const { email } = await client.signUp()
      const sockets = await atOnce(4, () => connect(address, behindProxy, options))

      for (const { call } of sockets) {
        const { session } = await call('create', 'authentication', { strategy: 'local', email, password })

        assert.equal(session.device.ip, '192.0.2.7')
      }
      sockets.forEach((socket) => socket.close())
    })
  }

  it('take each request of a long-polling socket, on whichever connection it comes', async () => {
    const { address } = service
    const lines = await linesToBoth(address)
    const opened = await (await fetch(address + handshake)).text()
    const { sid } = JSON.parse(opened.slice(1))
    const send = (packet: string) =>
      fetch(`${address}${handshake}&sid=${sid}`, {
        method: 'POST',
        body: packet,
        headers: { 'Content-Type': 'text/plain', Connection: 'close' }
      })
    const polled = async () =>
      (await fetch(`${address}${handshake}&sid=${sid}`, { headers: { Connection: 'close' } })).text()

    // Engine.IO's 4 is a message; of Socket.IO 0 is a connect, 2 an event with the id of its answer, and 3 that
    assert.equal((await send('40')).status, 200)
    assert.match(await polled(), /^40/)
    for (let id = 0; id < 8; id++) {
      assert.equal((await send(`42${id}["find","health"]`)).status, 200)
      assert.match(await polled(), new RegExp(`^43${id}\\[null,`))
    }
    lines.forEach((line) => line.close())
  })

  it('answer that the socket of a worker that does not exist is unknown', async () => {
    for (const sid of ['99-x', '1-x', '2-x', 'x']) {
      const answer = await fetch(`${service.address}${handshake}&sid=${sid}`)

      assert.equal(answer.status, 400)
      assert.deepEqual(await answer.json(), { code: 1, message: 'Session ID unknown' })
    }
  })
})

describe('a worker that is killed', () => {
  let place: Place
  let service: TestService

  before(async () => {
    place = await makePlace()
    service = await place.start({ WORKERS: '2' })
  })
  after(() => place.remove())

  it('is replaced, and the clients of both continue', async () => {
    const { address, client } = service
    const { accessToken, refreshToken } = await client.newLogin()
    const lines = await linesToBoth(address)
    const sockets = await atOnce(8, () => connect(address, {}, { reconnection: true, reconnectionDelay: 50 }))
    const official = await atOnce(4, async () => socketClient(address))
    const [victim] = await workersOf(service)

    process.kill(victim!, 'SIGKILL')
    await until('the line to it is closed', () => lines.some((line) => !line.isOpen()))

    // The other serves on, whatever happened to its neighbour
    const survivor = lines.find((line) => line.isOpen())!

    assert.equal((await survivor.ask('GET', '/sessions', { token: accessToken })).status, 200)
    await service.said(/A worker ended \(SIGKILL\): starting another/)
    await until('the new worker serves', () => isServedBy(address, '3'))

    const workers = await workersOf(service)

    assert.equal(workers.length, 2)
    assert.ok(!workers.includes(victim!))

    for (const { call, socket } of sockets) {
      await until('it is connected again', () => socket.connected)
      assert.deepEqual(await call('find', 'health'), { status: 'ok' })
    }
    for (const { client } of official) {
      assert.deepEqual(await client.service('health').find(), { status: 'ok' })
    }
    assert.equal((await client.refresh(refreshToken)).status, 201)
    sockets.forEach((socket) => socket.close())
    official.forEach(({ close }) => close())
    lines.forEach((line) => line.close())
  })

  it('is replaced less and less often while its replacements die', async () => {
    const secrets = join(place.data, 'secrets.json')
    const [victim] = await workersOf(service)

    await rename(secrets, `${secrets}.away`)
    process.kill(victim!, 'SIGKILL')
    // It says why it can not
    await service.said(/A worker ended \(.*secrets\.json can not be read.*\): starting another in 0\.5 s/)
    assert.equal((await service.client.ask('GET', '/health')).status, 200)

    await rename(`${secrets}.away`, secrets)
    await until('there are two again', async () => (await linesTo(service.address)).size === 2)
  })
})

describe('workers that are told to stop', () => {
  let place: Place

  before(async () => {
    place = await makePlace()
  })
  afterEach(() => place.killAll())
  after(() => place.remove())

  it('answer requests in flight; their embedded MongoDB ends last', async () => {
    const service = await place.start({ WORKERS: '2', MONGODB_URL: undefined })
    const { email } = await service.client.signUp()
    const processes = [await mongodOf(place.data), ...(await workersOf(service))]
    const lines = await atOnce(6, () => openLine(service.address))
    const signIn = { body: { strategy: 'local', email, password } }
    const signIns = lines.map((line) => line.ask('POST', '/authentication', signIn))

    assert.equal(processes.filter(isAlive).length, 3)
    await later(20)
    service.kill('SIGTERM')
    assert.deepEqual(
      (await Promise.all(signIns)).map(({ status }) => status),
      Array(6).fill(201)
    )

    const { code, stdout, stderr } = await service.outcome
    const said = stdout.split('\n').filter((line) => line.includes('Moult'))

    assert.deepEqual([code, stderr], [0, ''])
    assert.equal(said.length, 2, stdout)
    assert.match(said[0]!, /Moult listens on http:/)
    assert.match(said[1]!, /Moult has stopped/)
    assert.doesNotMatch(stdout, /WARN|unexpectedly/)
    assert.deepEqual(processes.filter(isAlive), [])
  })

  it('end as well if all of them get the signal, as from a terminal', async () => {
    const service = await place.start({ WORKERS: '2' })
    const workers = await workersOf(service)

    for (const pid of [...workers, service.pid]) {
      process.kill(pid, 'SIGINT')
    }

    assert.equal((await service.outcome).code, 0)
    assert.deepEqual(workers.filter(isAlive), [])
  })
})

describe('connections to workers', () => {
  let place: Place
  let service: TestService

  before(async () => {
    place = await makePlace()
    service = await place.start(withSettings(place, { limits: { connections: 4 } }))
  })
  after(() => place.remove())

  it('are limited per worker, and further ones cost nothing', async () => {
    const { hostname, port } = new URL(service.address)
    const open = await atOnce(40, async () => {
      const socket = connectTcp(Number(port), hostname)

      socket.on('error', () => {})
      await once(socket, 'connect')
      return socket
    })
    const held = () => open.filter((socket) => !socket.closed).length

    // A worker that is busy may get fewer of them than it could have
    await until('what is too much is closed', () => held() <= 8)

    const left = held()

    assert.ok(left > 4, `${left} are open`)

    const pids = [service.pid, ...(await workersOf(service))]
    const used = await cpuOf(pids)

    await later(1000)
    assert.ok((await cpuOf(pids)) - used < 0.5, 'the processes are busy')
    assert.equal(held(), left)
    open.forEach((socket) => socket.destroy())
  })

  it('end with the workers when the primary is killed', async () => {
    const workers = await workersOf(service)

    service.kill('SIGKILL')
    await until('no worker is left', () => !workers.some(isAlive))
  })
})

describe('workers that can not start', () => {
  let place: Place

  before(async () => {
    place = await makePlace()
  })
  after(() => place.remove())

  const run = (env: Environment) => runScript('index.ts', { env: place.environment(env) })

  for (const WORKERS of ['0', 'many']) {
    it(`say in one sentence what is wrong with WORKERS=${WORKERS}`, async () => {
      const { code, stdout, stderr } = await run({ WORKERS })

      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, /^workers is .+: write how many processes serve, such as 4, or "auto".*$/)
    })
  }

  it('report the failure of all of them once', async () => {
    const taken = createServer().listen(0, '127.0.0.1')

    await once(taken, 'listening')

    const { port } = taken.address() as AddressInfo
    const { code, stdout, stderr } = await run({ WORKERS: '3', PORT: String(port) })

    taken.close()
    assert.deepEqual([code, stdout], [1, ''])
    assert.equal(stderr, `port ${port} is taken by another program: set PORT to a free one`)
  })

  it('report in one sentence that they died', async () => {
    // A module that ends each worker as it is loaded
    const deadly = `${place.data}-deadly.mjs`

    await writeFile(deadly, "import cluster from 'node:cluster'\nif (cluster.isWorker) process.exit(7)\n")

    const { code, stdout, stderr } = await run({ WORKERS: '2', NODE_OPTIONS: `--import ${deadly}` })

    assert.deepEqual([code, stdout], [1, ''])
    assert.equal(stderr, 'a worker ended at its start (exit code 7): set WORKERS to fewer')
  })
})
