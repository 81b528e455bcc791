import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { assertDiscreet, assertRefused, sendRaw } from '../support/hostile.js'
import { newPerson, stored, type Person } from '../support/people.js'

describe('a header', () => {
  let t: TestApp
  let ada: Person

  before(async () => {
    t = await startApp()
    ada = await newPerson(t)
  })
  after(() => t.stop())

  const serviceMethods = [
    'find',
    'get',
    'create',
    'update',
    'patch',
    'remove',
    'setup',
    'teardown',
    'hooks',
    'emit',
    'publish',
    'getModel',
    '_get',
    '_remove',
    'createAccessToken',
    'register',
    'end',
    'constructor',
    '__proto__',
    'toString',
    'x'.repeat(5000)
  ]

  for (const method of serviceMethods) {
    it(`calls no method of a service: ${method.slice(0, 40)}`, async () => {
      const before = await stored(t, ada.email)

      for (const path of [
        '/users',
        `/users/${ada.id}`,
        '/authentication',
        '/sessions',
        '/content',
        '/health'
      ]) {
        const headers = { 'X-Service-Method': method }

        for (const body of [{}, { id: ada.id }, { payload: {} }]) {
          assertRefused(await ada.ask('POST', path, { headers, body }), [400, 401, 405], path)
        }
      }

      assert.deepEqual(await stored(t, ada.email), before)
    })
  }

  for (const name of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']) {
    it(`makes no other method of a request: ${name}`, async () => {
      await ada.ask('POST', `/users/${ada.id}`, { headers: { [name]: 'DELETE' }, body: {} })
      await ada.ask('GET', `/users/${ada.id}?_method=DELETE`, { headers: { [name]: 'DELETE' } })

      assert.equal((await ada.ask('GET', `/users/${ada.id}`)).status, 200)
    })
  }

  const odd: Record<string, string>[] = [
    { Accept: 'text/html' },
    { Accept: 'application/xml;q=x,,,' },
    { 'Accept-Encoding': 'x' },
    { 'Accept-Language': 'x'.repeat(5000) },
    { Range: 'bytes=0-1' },
    { 'If-None-Match': '*' },
    { 'If-Modified-Since': 'x' },
    { Cookie: '%; =; __proto__=x; a' },
    { Origin: 'null' },
    { Origin: 'http://evil.example' },
    { Referer: '\\' },
    { 'X-Forwarded-For': '<script>' },
    { 'X-Forwarded-Proto': 'x' },
    { 'X-Original-URL': '/content/admin' },
    { Forwarded: 'for=_x;host=y' },
    { provider: '' },
    { 'User-Agent': '' },
    { 'User-Agent': '\u00ff'.repeat(4000) },
    { __proto__x: 'x', constructor: 'x' }
  ]

  for (const headers of odd) {
    it(`does no harm: ${JSON.stringify(headers).slice(0, 60)}`, async () => {
      const answer = await ada.ask('GET', '/sessions', { headers })
      const denied = await ada.ask('GET', '/content/admin', { headers })
      const login = await ada.ask('POST', '/authentication', {
        headers,
        body: { strategy: 'local', email: ada.email, password: 'correct horse battery' }
      })

      assert.ok([200, 304].includes(answer.status), `${answer.status}`)
      assertRefused(denied, [403], '/content/admin')
      assert.equal(login.status, 201)
      assertDiscreet([answer.body, login.body], 'an answer')
    })
  }

  it('does not open the service to pages of other origins', async () => {
    for (const origin of ['null', 'http://evil.example', 'http://localhost:3030.evil.example']) {
      const preflight = await ada.ask('OPTIONS', '/users', {
        headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' }
      })
      const request = await ada.ask('GET', '/users', { headers: { Origin: origin } })

      for (const { headers } of [preflight, request]) {
        assert.ok([null, ''].includes(headers.get('access-control-allow-origin')))
      }
    }
  })

  const requests: [string, string][] = [
    ['garbage', 'GARBAGE\r\n\r\n'],
    ['no host', 'GET /users HTTP/1.1\r\n\r\n'],
    ['an odd host', 'GET /users HTTP/1.1\r\nHost: [::\r\n\r\n'],
    [
      'two tokens',
      'GET /users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nAuthorization: Bearer y\r\n\r\n'
    ],
    ['a token of no ASCII', 'GET /users HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \u00ff\u00fe\r\n\r\n'],
    ['a negative length', 'POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'],
    ['two lengths', 'POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}'],
    [
      'a length and chunks',
      'POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
    ],
    [
      'two types',
      'POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}'
    ],
    ['a blank before the colon', 'GET /users HTTP/1.1\r\nHost : x\r\n\r\n'],
    ['20 KB', `GET /users HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`]
  ]

  for (const [what, request] of requests) {
    it(`is refused as no client sends it: ${what}`, async () => {
      const status = await sendRaw(t.address, Buffer.from(request, 'latin1'))

      assert.ok(status === undefined || (status >= 400 && status < 500), `${status}`)
    })
  }

  it('that announces a body which never comes blocks nobody else', async () => {
    const pending = sendRaw(
      t.address,
      'POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{'
    )

    assert.equal((await ada.ask('GET', '/users')).status, 200)
    await pending
    assert.equal((await ada.ask('GET', '/users')).status, 200)
  })
})
