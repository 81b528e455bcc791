import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { io } from 'socket.io-client'
import { limited } from '../floods/limits.js'
import { startMeasured, type MeasuredApp } from '../support/measured-app.js'
import { restClient, type RestClient } from '../support/rest.js'
import { connect, poll, type TestSocket } from '../support/socket.js'
import { frame, openWebSocket } from '../support/web-socket.js'

const longestHold = 25 // ms beyond what harmless text takes: 10 on an idle machine
const tries = 6 // a machine with other work to do may hold the loop as well, but not each time
const inBody = 96_000 // bytes: with all else just within the limit of a body
const inHead = 14_000 // bytes: with all else just within the limit of the headers

/** Text of so many bytes in JSON. */
type Text = (bytes: number) => string

const repeated =
  (unit: string, start = '', end = ''): Text =>
  (bytes) =>
    start + unit.repeat(Math.floor(bytes / (Buffer.byteLength(JSON.stringify(unit)) - 2))) + end

const harmless = repeated('a')
const texts: Record<string, Text> = {
  'marks that sort before those in front of them': (bytes) =>
    `a${'\u0345'.repeat(bytes / 4)}${'\u0334'.repeat(bytes / 4)}`,
  'a ligature of 18 characters': repeated('\ufdfa'),
  jamo: repeated('\u1112\u1161\u11ab'),
  'letters with dots': repeated('\u0130'),
  emoji: repeated('😀'),
  slashes: repeated('/', 'a', 'a'),
  dots: repeated('.', 'a', 'a'),
  labels: repeated('a.', 'a@', '!'),
  hyphens: repeated('a-', 'a@', '.'),
  'words before an at': repeated('a.', '', '@'),
  'at signs': repeated('@'),
  digits: repeated('1'),
  dates: repeated('2025-01-01T00:00:00'),
  'letters t': repeated('t'),
  blanks: repeated(' ', 'a', 'a'),
  commas: repeated(','),
  semicolons: repeated('a=b;'),
  qualities: repeated('a;q=0.1,'),
  quotes: repeated('\\"'),
  'percent signs': repeated('%25'),
  brackets: repeated('[', 'a'),
  dollars: repeated('$'),
  zeros: repeated('\u0000')
}

describe('any text', () => {
  let service: MeasuredApp
  let client: RestClient
  let socket: TestSocket
  let token: string
  let userId: string
  let sessionId: string
  const email = () => `a${Math.random()}@example.com`

  before(async () => {
    service = await startMeasured(limited({ account: { limit: 5, per: '1h' } }))
    client = restClient(service.address)
    const login = await client.newLogin()

    token = login.accessToken
    userId = login.user._id
    sessionId = login.session.id
    socket = await connect(service.address)
    await socket.call('create', 'authentication', { strategy: 'jwt', accessToken: token })
  })
  after(async () => {
    socket.close()
    await service.stop()
  })

  /** Fails when the loop is held longer than by harmless text each time. */
  async function assertBrief(what: string, call: (text: Text) => Promise<unknown>) {
    const usual = Math.min(...(await inTurn(3, () => service.longestHold(() => call(harmless)))))

    for (const [name, text] of Object.entries(texts)) {
      const holds: number[] = []

      do {
        holds.push(await service.longestHold(() => call(text)))
      } while (holds.at(-1)! > usual + longestHold && holds.length < tries)

      assert.ok(
        holds.at(-1)! <= usual + longestHold,
        `${name} in ${what} hold the loop for ${holds.join(', ')} ms, where harmless text holds it for ${usual} ms`
      )
    }
  }

  const post = (path: string, body: object) => client.ask('POST', path, { body, token })
  const patch = (path: string, body: object) => client.ask('PATCH', path, { body, token })
  const signIn = (body: object) => post('/authentication', { strategy: 'local', ...body })
  const call = async (method: string, ...args: unknown[]) => {
    await socket.call(method, ...args).catch(() => {})
    assert.ok(socket.socket.connected)
  }

  const fields: Record<string, (text: string) => Promise<unknown>> = {
    'email of a sign-in': (text) => signIn({ email: text, password: 'wrong horse' }),
    'password of a sign-in': (text) => signIn({ email: email(), password: text }),
    'email of a sign-in beyond the limit': (text) => signIn({ email: text, password: 'x' }),
    'name of a device': (text) => signIn({ email: email(), password: 'x', device: { name: text } }),
    'id of a device': (text) => signIn({ email: email(), password: 'x', device: { id: text } }),
    'name of a strategy': (text) => post('/authentication', { strategy: text }),
    'refresh token': (text) => post('/authentication', { strategy: 'refresh-token', refreshToken: text }),
    'parts of a refresh token': (text) =>
      post('/authentication', { strategy: 'refresh-token', refreshToken: `${text}.${text.slice(0, 9)}.a` }),
    'idempotency key': (text) =>
      post('/authentication', { strategy: 'refresh-token', refreshToken: 'x', idempotencyKey: text }),
    'access token': (text) => post('/authentication', { strategy: 'jwt', accessToken: text }),
    'email of a sign-up': (text) => post('/users', { email: text, password: 'correct horse battery' }),
    'password of a sign-up': (text) => post('/users', { email: email(), password: text }),
    'name of a sign-up': (text) =>
      post('/users', { email: email(), password: 'correct horse battery', name: text }),
    'unknown field': (text) => post('/users', { [text]: 1 }),
    'name of a user': (text) => patch(`/users/${userId}`, { name: text }),
    'email of a user': (text) => patch(`/users/${userId}`, { email: text, currentPassword: 'x' }),
    'password of a user': (text) => patch(`/users/${userId}`, { password: text, currentPassword: 'x' }),
    'current password': (text) => patch(`/users/${userId}`, { email: email(), currentPassword: text }),
    'new name of a device': (text) => patch(`/sessions/${sessionId}`, { device: { name: text } })
  }

  for (const [what, send] of Object.entries(fields)) {
    it(`as the ${what}, it does not hold up the others`, () =>
      assertBrief(what, (text) => send(text(inBody))))
  }

  const packets: Record<string, (text: string) => Promise<unknown>> = {
    path: (text) => call('find', text),
    'path below a service': (text) => call('find', `users/${text}`),
    method: (text) => call(text, 'users'),
    id: (text) => call('get', 'users', text),
    'id of a session': (text) => call('remove', 'sessions', text),
    'email in a query': (text) => call('find', 'users', { email: text }),
    'id in a query': (text) => call('find', 'users', { _id: text }),
    'date in a query': (text) => call('find', 'users', { createdAt: text }),
    'operator in a query': (text) => call('find', 'users', { email: { [text]: 1 } }),
    'field to sort by': (text) => call('find', 'users', { $sort: { [text]: 1 } }),
    'field to select': (text) => call('find', 'users', { $select: [text] }),
    limit: (text) => call('find', 'users', { $limit: text }),
    'user of sessions': (text) => call('find', 'sessions', { userId: text }),
    'type of events': (text) => call('find', 'events', { type: text }),
    board: (text) => call('get', 'content', text)
  }

  for (const [what, send] of Object.entries(packets)) {
    it(`as the ${what} of a call over a socket, it does not hold up the others`, () =>
      assertBrief(what, (text) => send(text(inBody))))
  }

  const handshakes: Record<string, (text: Text) => Promise<unknown>> = {
    'what a socket joins with': (text) => join({ token: text(inHead) }),
    namespace: async (text) => {
      const { tcp, received } = await openWebSocket(service.address)

      tcp.write(frame(`40/${text(inHead).replaceAll(',', '.')},`))
      await poll(() => received().includes('Invalid namespace'), 'the refusal')
      tcp.destroy()
    },
    'token of a handshake': (text) => join({}, { Authorization: `Bearer ${inHeader(text(inHead))}` })
  }

  async function join(auth: object, extraHeaders = {}): Promise<void> {
    const joined = io(service.address, {
      transports: ['websocket'],
      auth,
      extraHeaders,
      reconnection: false,
      forceNew: true
    })

    await new Promise<void>((resolve) => {
      joined.on('connect', resolve).on('connect_error', () => resolve())
    })
    joined.disconnect()
  }

  for (const [what, send] of Object.entries(handshakes)) {
    it(`as the ${what}, it does not hold up the others`, () => assertBrief(what, send))
  }

  it('as a path over HTTP, it does not hold up the others', () =>
    assertBrief('a path', (text) => client.ask('GET', `/${inUrl(text(inHead))}`)))

  it('as a query over HTTP, it does not hold up the others', async () => {
    await assertBrief('a query', (text) => client.ask('GET', `/users?${inUrl(text(inHead))}`, { token }))
    await assertBrief('a value', (text) =>
      client.ask('GET', `/users?email=${inUrl(text(inHead))}`, { token })
    )
  })

  const headers = [
    'Accept',
    'Accept-Encoding',
    'Access-Control-Request-Headers',
    'Authorization',
    'Content-Type',
    'Cookie',
    'If-None-Match',
    'Origin',
    'User-Agent',
    'X-Forwarded-For',
    'X-Request-Id',
    'X-Service-Method'
  ]

  for (const header of headers) {
    it(`as the header ${header}, it does not hold up the others`, async () => {
      const send = (method: string, path: string) => (text: Text) =>
        client.ask(method, path, {
          headers: { [header]: inHeader(text(inHead)) },
          ...(method === 'POST' && { body: {} })
        })

      await assertBrief(header, send('GET', '/'))
      await assertBrief(header, send('POST', '/authentication'))
      await assertBrief(header, send('OPTIONS', '/users'))
    })
  }

  const many = (unit: (index: number) => string, bytes: number) =>
    Array.from({ length: Math.floor(bytes / (unit(10_000).length + 1)) }, (_, index) => unit(index)).join()

  const inHeap = 50_000 // bytes: a little more than half of it again, where it is a list of conditions
  const heaps: Record<string, string> = {
    'unknown fields': `{${many((index) => `"${index.toString(36)}":1`, inHeap)}}`,
    'lists in lists': `{"email":${'['.repeat(inHeap / 2)}${']'.repeat(inHeap / 2)}}`,
    'objects in objects': `{"email":${'{"a":'.repeat(inHeap / 6)}1${'}'.repeat(inHeap / 6)}}`,
    'empty lists': `{"email":[${many(() => '[]', inHeap)}]}`,
    numbers: `{"email":[${many(() => '1', inHeap)}]}`
  }

  for (const [what, body] of Object.entries(heaps)) {
    it(`of ${what}, it does not hold up the others`, async () => {
      const calls: Record<string, (data: string) => Promise<unknown>> = {
        'a sign-up': (data) => client.ask('POST', '/users', { body: data }),
        'a sign-in': (data) => client.ask('POST', '/authentication', { body: data }),
        'a patch': (data) => client.ask('PATCH', `/users/${userId}`, { body: data, token }),
        'a query': (data) => call('find', 'users', JSON.parse(data)),
        'a condition': (data) => call('find', 'users', { $or: [JSON.parse(data)] }),
        conditions: (data) => call('find', 'users', { $or: Object.entries(JSON.parse(data)) })
      }

      for (const [where, send] of Object.entries(calls)) {
        const harmlessData = JSON.stringify({ email: harmless(inBody) })
        const usual = Math.min(...(await inTurn(3, () => service.longestHold(() => send(harmlessData)))))
        const holds: number[] = []

        do {
          holds.push(await service.longestHold(() => send(body)))
        } while (holds.at(-1)! > usual + longestHold && holds.length < tries)

        assert.ok(
          holds.at(-1)! <= usual + longestHold,
          `in ${where}, they hold the loop for ${holds.join(', ')} ms, where harmless data holds it for ${usual} ms`
        )
      }
    })
  }
})

async function inTurn<T>(times: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = []

  while (results.length < times) {
    results.push(await work())
  }

  return results
}

/** Header fields take no control characters, and nothing beyond Latin-1. */
const inHeader = (text: string): string =>
  text
    .replace(/[^\u0020-\u007e]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
    .slice(0, inHead)

const inUrl = (text: string): string =>
  text.replace(/[^\u0021-\u007e]|#/gu, encodeURIComponent).slice(0, inHead)
