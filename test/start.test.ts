import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http'
import { connect as connectTo, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { after, afterEach, before, describe, it } from 'node:test'
import { MongoClient } from 'mongodb'
import { runScript, startScript, type TestProcess } from './support/process.js'
import { restClient } from './support/rest.js'
import { connect, poll } from './support/socket.js'

const secrets = {
  ACCESS_TOKEN_SECRET: 'q0Uj1GhtqXyYkQHcUl2nS6cRSFdKBwkgqQT7Bz3n6WmO0hX9XJ4r5xk1iTn8vZcL',
  REFRESH_TOKEN_SECRET: 'Zb7eN2uXw4rG9kL1pQ6sD3tF8hJ5mC0vB2yA7xW4nE9qR1zT6oU3iP8aS5dK0jVg'
}
const database = `moult-start-${process.pid}`
const patience = 4000 // ms: long for a stop, but shorter than the 5 s of what hangs
const signals = ['SIGTERM', 'SIGINT'] as const

function databaseUrl(): string {
  const url = new URL(process.env.MONGODB_URL!)

  url.pathname = `/${database}`
  return url.href
}

describe('npm start', () => {
  let folder: string
  const started: TestProcess[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'moult-start-'))
  })
  afterEach(async () => {
    for (const service of started.splice(0)) {
      service.kill('SIGKILL')
      await service.outcome
    }
  })
  after(async () => {
    const client = new MongoClient(databaseUrl())

    await client.db().dropDatabase()
    await client.close()
    await rm(folder, { recursive: true })
  })

  const environment = (env: Record<string, string | undefined> = {}) => ({
    NODE_ENV: 'development',
    HOSTNAME: '127.0.0.1',
    PORT: '0',
    MONGODB_URL: databaseUrl(),
    NODE_CONFIG: JSON.stringify({ data: folder }),
    ...env
  })

  /** The service in a process of its own, and the address that it says it listens on. */
  async function start(env?: Record<string, string | undefined>) {
    const service = startScript('index.ts', { env: environment(env) })

    started.push(service)

    const [address] = await service.said(/http:\/\/[\w.:]+\d/)

    return { ...service, address, client: restClient(address) }
  }

  it('says in one line where it listens, once it is ready', async () => {
    const { address, client, kill, outcome } = await start()

    assert.equal((await client.ask('GET', '/health')).status, 200)
    assert.match(address, /^http:\/\/127\.0\.0\.1:\d+$/)

    kill('SIGTERM')

    const { stdout, stderr } = await outcome

    assert.equal(stdout.split('\n').filter((line) => line.includes('http://')).length, 1)
    assert.equal(stderr, '')
  })

  it('keeps the secrets of development: who is signed in stays it over a start', async () => {
    const first = await start()
    const { accessToken, refreshToken } = await first.client.newLogin()

    first.kill('SIGTERM')
    await first.outcome

    const { client } = await start()

    assert.equal((await client.ask('GET', '/sessions', { token: accessToken })).status, 200)
    assert.equal((await client.refresh(refreshToken)).status, 201)
  })

  it('logs JSON in production, and no credential', async () => {
    const { client, kill, outcome } = await start({ NODE_ENV: 'production', ...secrets })
    const { accessToken, refreshToken, user } = await client.newLogin()

    await client.signIn(user.email, { password: 'wrong horse battery' })
    await client.refresh(refreshToken)
    await client.ask('POST', '/users', { body: '{bad' })
    kill('SIGTERM')

    const { code, stdout, stderr } = await outcome

    assert.equal(code, 0)
    assert.ok(stdout.split('\n').every((line) => JSON.parse(line).msg))
    assert.equal(stderr, '')

    for (const secret of [
      'correct horse',
      'wrong horse',
      accessToken,
      refreshToken,
      ...Object.values(secrets)
    ]) {
      assert.equal(stdout.includes(secret), false)
    }
  })

  for (const signal of signals) {
    it(`stops on ${signal} with exit code 0, at once, though clients are connected`, async () => {
      const { address, client, kill, outcome } = await start()
      const socket = await connect(address)
      const agent = new Agent({ keepAlive: true })

      await client.ask('GET', '/health')
      await statusOf(`${address}/health`, agent)

      const signalled = performance.now()

      kill(signal)

      const { code } = await outcome

      assert.equal(code, 0)
      assert.ok(performance.now() - signalled < patience)
      await socket.disconnected()
      agent.destroy()
    })

    it(`finishes what it is doing on ${signal}`, async () => {
      const { address, kill, outcome } = await start()
      const pending = await pendingSignUp(address)

      kill(signal)
      await refused(address)

      const { statusCode } = await pending.finish()

      assert.equal(statusCode, 201)
      assert.equal((await outcome).code, 0)
    })
  }

  it('lets go of a client that asks on and on over one connection', async () => {
    const { address, kill, outcome } = await start()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const statuses: unknown[] = []
    const asking = (async () => {
      for (;;) {
        statuses.push(await statusOf(`${address}/health`, agent))
      }
    })().catch((error: { code?: string }) => error.code)

    await poll(() => statuses.length > 5, 'the first answers')

    const signalled = performance.now()

    kill('SIGTERM')
    assert.equal((await outcome).code, 0)
    assert.ok(performance.now() - signalled < patience)
    assert.ok(['ECONNREFUSED', 'ECONNRESET'].includes((await asking)!))
    assert.deepEqual([...new Set(statuses)], [200])
    agent.destroy()
  })

  it('does not wait for ever for a request that never ends', async () => {
    const { address, kill, outcome } = await start()
    const pending = await pendingSignUp(address)

    pending.request.on('error', () => undefined)

    const signalled = performance.now()

    kill('SIGTERM')
    assert.equal((await outcome).code, 0)
    assert.ok(performance.now() - signalled < 3 * patience)
  })

  it('says in a sentence that the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')

    await once(other, 'listening')

    const { port } = other.address() as AddressInfo
    const { code, stderr } = await runScript('index.ts', { env: environment({ PORT: String(port) }) })

    other.close()
    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`^port ${port} is taken .*: set PORT to .*$`))
  })

  // What test/configuration.test.ts says of each setting, for the whole process
  const wrong: [string, Record<string, string | undefined>, RegExp][] = [
    [
      'production without secrets',
      { NODE_ENV: 'production' },
      /^authentication\.secret is missing: set ACCESS_TOKEN_SECRET/
    ],
    [
      'production with a published secret',
      { NODE_ENV: 'production', ...secrets, ACCESS_TOKEN_SECRET: 'change-me-change-me-change-me-change-me!' },
      /^authentication\.secret is a published/
    ],
    ['a port that is none', { PORT: 'abc' }, /^port is "abc": write a port/],
    [
      'an unknown strategy',
      { NODE_CONFIG: '{"authentication": {"authStrategies": ["jwt", "local", "refresh-token", "magic"]}}' },
      /^authentication\.authStrategies names "magic".*: write names out of/
    ],
    [
      'an object that is none',
      { NODE_CONFIG: '{"authentication": {"refresh-token": "x"}}' },
      /^authentication\.refresh-token .*write an object/
    ],
    ['JSON that is none', { NODE_CONFIG: '{bad' }, /^(The )?\$?NODE_CONFIG/],
    ['another database', { MONGODB_URL: 'postgres://ada:hunter2@localhost/x' }, /^mongodb .*: write/],
    ['a host that is not here', { HOSTNAME: '192.0.2.1' }, /^host "192\.0\.2\.1" .*: set HOSTNAME/]
  ]

  for (const [what, env, sentence] of wrong) {
    it(`ends with one sentence and exit code 1: ${what}`, async () => {
      const { code, stdout, stderr } = await runScript('index.ts', {
        env: environment(env),
        patience: 20_000 // in case that it starts
      })

      assert.equal(code, 1)
      assert.match(stderr, sentence)
      assert.equal(stderr.split('\n').length, 1)
      assert.doesNotMatch(stdout + stderr, /hunter2|change-me/)
    })
  }
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

      socket.once('connect', () => resolve(false)).once('error', () => resolve(true))
      setTimeout(() => socket.destroy(), 100)
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
