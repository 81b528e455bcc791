import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { startRefreshing, type Refreshing } from '../support/refreshing.js'
import { restClient } from '../support/rest.js'
import { poll } from '../support/socket.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'
import { assertUnharmed } from '../support/unharmed.js'

const longest = 15_000 // ms that any request may take

describe('a network that fails between an instance and the database, while clients refresh', () => {
  let proxy: TcpProxy
  let app: TestApp
  let refreshing: Refreshing

  before(async () => {
    const url = new URL(process.env.MONGODB_URL!)

    proxy = await startTcpProxy(Number(url.port || 27017))
    url.port = String(proxy.port)
    url.hostname = '127.0.0.1'
    url.searchParams.delete('replicaSet')
    url.searchParams.set('directConnection', 'true')
    process.env.MONGODB_URL = url.href
    app = await startApp()
    refreshing = await startRefreshing([app.address], { alone: 12, paired: 4, robbed: 2, rest: 5 })
  })
  after(async () => {
    await refreshing?.stop()
    await app?.stop()
    await proxy?.close()
  })

  it('loses no session when all connections break, again and again', (t: TestContext) =>
    assertUnharmed(refreshing, t, async () => {
      let cut = 0

      for (let time = 0; time < 5; time++) {
        await refreshing.goOn(30)
        cut += proxy.cut()
      }

      return `${cut} connections cut`
    }))

  it('accepts nothing twice when writes succeed and their answers are lost', (t: TestContext) =>
    assertUnharmed(refreshing, t, async () => {
      let lost = 0

      for (let time = 0; time < 20; time++) {
        await refreshing.goOn(5)
        lost += await poll(
          // A refresh, by itself or with others
          () => proxy.loseAnswers((connection) => connection.waitsFor('sessions.$.used')) || undefined,
          'a write under way'
        )
      }

      return `${lost} answers to writes lost`
    }))

  it('is 503 in time while all connections are silent, and recovers by itself', (t: TestContext) =>
    assertUnharmed(refreshing, t, async () => {
      const isHealthy = async (status: number) =>
        (await restClient(app.address).ask('GET', '/health')).status === status
      const before = refreshing.presentations.length
      const frozen = proxy.freeze()

      try {
        await poll(() => isHealthy(503), 'the 503')
        await poll(
          () => refreshing.presentations.slice(before).some(({ outcome }) => outcome === '503'),
          'a refresh that fails',
          longest
        )
      } finally {
        proxy.thaw()
      }

      await poll(() => isHealthy(200), 'the 200', 30_000)
      return `${frozen} connections silent`
    }))

  it('leaves every client signed in', async () => {
    await refreshing.stop()
    await refreshing.refreshOnceMore()
    assert.deepEqual(refreshing.lost, [])
  })
})
