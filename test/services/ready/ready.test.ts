import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { restClient } from '../../support/rest.js'
import { poll } from '../../support/socket.js'
import { startStandaloneMongod } from '../../support/standalone-mongod.js'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js'

const { MONGODB_URL } = process.env

const readiness = (t: TestApp) => restClient(t.address).ask('GET', '/ready')
const until = (t: TestApp, status: number) =>
  poll(
    async () => {
      const answer = await readiness(t)

      return answer.status === status ? answer : undefined
    },
    `${status} of /ready`,
    20_000
  )

describe('GET /ready', () => {
  let t: TestApp
  let proxy: TcpProxy

  before(async () => {
    const url = new URL(MONGODB_URL!)

    proxy = await startTcpProxy(Number(url.port))
    process.env.MONGODB_URL = `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`
    t = await startApp()
    process.env.MONGODB_URL = MONGODB_URL
  })
  after(async () => {
    proxy.thaw()
    await t.stop()
    await proxy.close()
  })

  it('answers 200 once the change stream is fresh', async () => {
    const { body, headers } = await until(t, 200)

    assert.deepEqual(body, { status: 'ok', changes: 'fresh' })
    assert.equal(headers.get('Cache-Control'), 'no-store')
  })

  it('answers 503 while the stream is silent, though the database answers', async () => {
    await until(t, 200)
    await poll(() => proxy.freeze((connection) => connection.waitsFor('getMore')) || undefined, 'the stream')

    const { body } = await until(t, 503)

    assert.equal(body.message, 'The change stream of the users is silent')
    assert.equal((await restClient(t.address).ask('GET', '/health')).status, 200)
    proxy.thaw()
    await until(t, 200)
  })

  it('answers 503 while the database can not be reached', async () => {
    await until(t, 200)
    proxy.freeze()

    const { body } = await until(t, 503)

    assert.match(body.message, /database can not be reached/)
    proxy.thaw()
    await until(t, 200)
  })
})

describe('GET /ready of a service whose MongoDB has no change streams', () => {
  it('answers 200, because each call reads the database', async () => {
    const standalone = await startStandaloneMongod()

    process.env.MONGODB_URL = standalone.url
    const t = await startApp()

    try {
      assert.deepEqual((await until(t, 200)).body, { status: 'ok', changes: 'not needed' })
    } finally {
      await t.stop()
      await standalone.stop()
      process.env.MONGODB_URL = MONGODB_URL
    }
  })
})
