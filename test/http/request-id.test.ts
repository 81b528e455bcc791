import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import type { HookContext } from '../../src/declarations.js'
import { createLogger } from '../../src/logger.js'
import { startApp, type TestApp } from '../support/app.js'
import { newPerson } from '../support/people.js'
import { restClient } from '../support/rest.js'
import { connect, poll } from '../support/socket.js'

const uuid = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/

let t: TestApp
// eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
let lines: any[]

before(async () => {
  lines = []
  const logger = createLogger('production', { write: (line) => lines.push(JSON.parse(line)) })

  t = await startApp({
    configure: (app) => {
      logger.level = 'debug'
      app.set('logger', logger)
      app.service('content').hooks({
        before: {
          get: [
            async ({ id }) => {
              if (id === 'broken') throw new TypeError('That was our fault')
            }
          ]
        }
      })
    }
  })
})
afterEach(() => lines.splice(0))
after(() => t.stop())

const ask = (path: string, headers: Record<string, string> = {}) =>
  restClient(t.address).ask('GET', path, { headers })

describe('the id of a request', () => {
  it('is generated if there is none, and returned', async () => {
    const ids = (await Promise.all([ask('/health'), ask('/nothing'), ask('/users')])).map(({ headers }) =>
      headers.get('X-Request-Id')
    )

    assert.equal(new Set(ids).size, 3)
    ids.forEach((id) => assert.match(id!, uuid))
  })

  it('is taken from a proxy', async () => {
    for (const id of [
      'f058ebd6-02f7-4d3f-942e-904344e8cde5',
      'a',
      '1-67891233-abcdef012345678912345678',
      'x'.repeat(128)
    ]) {
      assert.equal((await ask('/health', { 'X-Request-Id': id })).headers.get('X-Request-Id'), id)
    }
  })

  it('is replaced if it is not a usable id', async () => {
    for (const id of [
      'two words',
      '',
      'x'.repeat(129),
      '{"msg":"forged"}',
      'a, b',
      '<b>',
      '\u001b[31m'.slice(1)
    ]) {
      assert.match((await ask('/health', { 'X-Request-Id': id })).headers.get('X-Request-Id')!, uuid)
    }
  })

  it('may be read by pages of other origins', async () => {
    const { headers } = await ask('/health', { Origin: 'http://localhost:3030' })

    assert.match(headers.get('Access-Control-Expose-Headers')!, /X-Request-Id/)
  })

  it('is in `params`', async () => {
    const seen: unknown[] = []

    t.app
      .service('health')
      .hooks({ before: { find: [async ({ params }: HookContext) => void seen.push(params.requestId)] } })
    await ask('/health', { 'X-Request-Id': 'over-http' })
    const socket = await connect(t.address, { 'X-Request-Id': 'over-a-socket' })

    await socket.call('find', 'health')
    socket.close()
    assert.deepEqual(seen, ['over-http', 'over-a-socket'])
  })

  it('is in the log of a failure', async () => {
    assert.equal((await ask('/content/broken', { 'X-Request-Id': 'failing' })).status, 500)

    const failure = lines.find(({ msg }) => msg === 'content get failed')

    assert.equal(failure.requestId, 'failing')
    assert.match(failure.stack, /That was our fault/)
  })
})

describe('the log, at debug', () => {
  it('has one line for each request, without its query', async () => {
    const ada = await newPerson(t)

    lines.splice(0)
    const { headers } = await ada.ask('GET', '/users?email=eve@example.com')
    const [line, ...others] = await poll(() => (lines.length > 0 ? lines : undefined), 'the line')
    const { time, ms, ...rest } = line

    assert.deepEqual(others, [])
    assert.ok(time > 0 && ms > 0)
    assert.deepEqual(rest, {
      level: 20,
      requestId: headers.get('X-Request-Id'),
      method: 'GET',
      path: '/users',
      status: 200,
      ip: '127.0.0.1',
      userId: ada.id,
      msg: `GET /users 200 in ${ms} ms`
    })
  })

  it('has no token from a path', async () => {
    const ada = await newPerson(t)

    lines.splice(0)
    await ada.ask('DELETE', `/authentication/${ada.accessToken}`)
    await poll(() => lines.length > 0 || undefined, 'the line')
    assert.equal(lines[0].path, '/authentication/…')
    assert.equal(JSON.stringify(lines).includes(ada.accessToken), false)
  })

  it('has no such line at info', async () => {
    t.app.get('logger').level = 'info'

    try {
      assert.match((await ask('/health')).headers.get('X-Request-Id')!, uuid)
      assert.deepEqual(lines, [])
    } finally {
      t.app.get('logger').level = 'debug'
    }
  })
})
