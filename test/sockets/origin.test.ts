import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { socketsOf } from '../support/live.js'
import { restClient } from '../support/rest.js'
import { poll } from '../support/socket.js'

const listed = 'https://app.example.com'

let t: TestApp
const sockets = socketsOf(() => t.address)

before(async () => {
  t = await startApp({ settings: { origins: [listed] } })
})
after(async () => {
  sockets.closeAll()
  // Stopped before, the server would wait for what they poll
  await poll(() => t.app.io.engine.clientsCount === 0, 'the end of the sockets')
  await t.stop()
})

const table: [string, Record<string, string>, boolean][] = [
  ['no page', {}, true],
  ["the service's own page", { Origin: 'OWN' }, true],
  ['a page of a listed origin', { Origin: listed }, true],
  ['a page of another site', { Origin: 'https://evil.example' }, false],
  ['another port of the host', { Origin: 'http://localhost:1' }, false],
  ['a sibling of the host', { Origin: 'http://evil.localhost:3030' }, false],
  ['a listed origin with more behind it', { Origin: `${listed}.evil.example` }, false],
  ['a sandbox', { Origin: 'null' }, false],
  [
    'a proxy that is said to have been asked for it',
    { Origin: 'https://x.example', 'X-Forwarded-Host': 'x.example' },
    false
  ]
]

for (const transport of ['websocket', 'polling'] as const) {
  describe(`a handshake by ${transport}`, () => {
    for (const [from, headers, welcome] of table) {
      it(`from ${from} is ${welcome ? 'taken' : 'refused'}`, async () => {
        const sent = Object.entries(headers).map(([key, value]) => [key, value === 'OWN' ? t.address : value])
        const socket = sockets.anonymous(Object.fromEntries(sent), { transports: [transport] })

        if (welcome) {
          assert.deepEqual(await (await socket).call('find', 'health'), { status: 'ok' })
        } else {
          await assert.rejects(socket, /websocket error|xhr poll error/)
        }
      })
    }
  })
}

it('accepts a WebSocket of its own page under another host name', async () => {
  const socket = await sockets.anonymous({ Origin: 'https://moult.example', Host: 'moult.example' })

  assert.deepEqual(await socket.call('find', 'health'), { status: 'ok' })
})

describe('long polling', () => {
  const open = (origin: string) =>
    restClient(t.address).ask('GET', '/socket.io/?EIO=4&transport=polling', { headers: { Origin: origin } })

  it('may be read by pages of listed origins, without their cookies', async () => {
    const { status, headers, body } = await open(listed)
    const { sid } = JSON.parse(body.slice(1))

    assert.equal(status, 200)
    assert.equal(headers.get('access-control-allow-origin'), listed)
    assert.equal(headers.get('access-control-allow-credentials'), null)
    assert.match(headers.get('vary')!, /\borigin\b/i)

    // Closes it, as clients do
    await restClient(t.address).ask('POST', `/socket.io/?EIO=4&transport=polling&sid=${sid}`, {
      body: '1',
      headers: { 'Content-Type': 'text/plain' }
    })
  })

  it('is a 403 for other pages, which can not read even that', async () => {
    const { status, headers } = await open('https://evil.example')

    assert.equal(status, 403)
    assert.equal(headers.get('access-control-allow-origin'), null)
  })
})
