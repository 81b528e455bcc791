import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { restClient } from '../../support/rest.js'

describe('GET /health', () => {
  let t: TestApp

  before(async () => {
    t = await startApp()
  })
  after(() => t.stop())

  it('answers 200 while the database can be reached', async () => {
    const { status, body } = await restClient(t.address).ask('GET', '/health')

    assert.equal(status, 200)
    assert.deepEqual(body, { status: 'ok' })
  })

  it('ignores a token and a query', async () => {
    const client = restClient(t.address)

    assert.equal((await client.ask('GET', '/health', { token: 'x' })).status, 200)
    assert.equal((await client.ask('GET', '/health?verbose=1')).status, 200)
  })

  it('supports no other method', async () => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      assert.equal((await restClient(t.address).ask(method, '/health')).status, 405)
    }
  })

  it('has no entries', async () => {
    const { status } = await restClient(t.address).ask('GET', '/health/database')

    assert.ok(status === 404 || status === 405)
  })
})
