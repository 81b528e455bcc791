import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { startApp, type TestApp } from '../support/app.js'
import { assertRefused } from '../support/hostile.js'
import { newPerson, stored, type Person } from '../support/people.js'

const json = { 'Content-Type': 'application/json' }
const nested = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth)

type Body = string | Buffer

// What is sent, and with which headers besides `Content-Type: application/json`
const bodies: [string, Body, Record<string, string>?][] = [
  ['malformed JSON', '{bad'],
  ['half of JSON', '{"email": "a@example.com", '],
  ['JSON and more', '{}{}'],
  ['single quotes', "{'email': 'a'}"],
  ['null', 'null'],
  ['a string', '"text"'],
  ['a number', '1'],
  ['a boolean', 'true'],
  ['an empty list', '[]'],
  ['a list', '[{"email": "a@example.com", "password": "correct horse"}]'],
  ['NaN', 'NaN'],
  ['no UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ['UTF-16', Buffer.from('{}', 'utf16le')],
  ['an open list, 40 000 times', '['.repeat(40_000)],
  ['a list in a list, 20 000 times', nested('[', ']', 20_000)],
  ['an object in an object, 10 000 times', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
  ['deep nesting in a field', `{"email":${nested('[', ']', 20_000)}, "name": ${nested('[', ']', 10_000)}}`],
  ['10 000 fields', `{${Array.from({ length: 7000 }, (_, i) => `"f${i}":1`).join()}}`],
  ['the prototype as a key', '{"__proto__": {"email": "a@example.com"}}'],
  ['the constructor as a key', '{"constructor": {"prototype": {"roles": ["admin"]}}}'],
  ['a key with a zero byte', '{"email\\u0000": "a@example.com"}'],
  ['a number out of range', '{"email": 1e999, "device": -1e999}'],
  ['plain text', '{"email": "a@example.com"}', { 'Content-Type': 'text/plain' }],
  ['a form', 'email=a%40example.com', { 'Content-Type': 'application/x-www-form-urlencoded' }],
  ['parts', '--x\r\n\r\n--x--', { 'Content-Type': 'multipart/form-data; boundary=x' }],
  ['XML', '<email>a@example.com</email>', { 'Content-Type': 'application/xml' }],
  ['an unknown type', '{}', { 'Content-Type': 'x' }],
  ['no type', '{}', { 'Content-Type': '' }],
  ['an unknown character set', '{"x": 1}', { 'Content-Type': 'application/json; charset=nope' }],
  ['gzip that is none', '{}', { 'Content-Encoding': 'gzip' }],
  ['gzip that ends too early', gzipSync('{"x": 1}').subarray(0, 12), { 'Content-Encoding': 'gzip' }],
  ['deflate that is none', '{}', { 'Content-Encoding': 'deflate' }],
  ['brotli that is none', '{}', { 'Content-Encoding': 'br' }],
  ['brotli that ends too early', brotliCompressSync('{"x": 1}').subarray(0, 5), { 'Content-Encoding': 'br' }],
  ['gzip of malformed JSON', gzipSync('{bad'), { 'Content-Encoding': 'gzip' }],
  ['an unknown encoding', '{}', { 'Content-Encoding': 'zstd' }],
  ['several encodings', gzipSync('{}'), { 'Content-Encoding': 'gzip, gzip' }],
  ['200 KB', `{"email": "${'a'.repeat(200_000)}"}`],
  ['200 KB of blanks', `${' '.repeat(200_000)}{}`],
  ['gzip of 50 MB', gzipSync(Buffer.alloc(50_000_000, 0x20)), { 'Content-Encoding': 'gzip' }],
  ['brotli of 50 MB', brotliCompressSync(Buffer.alloc(50_000_000, 0x20)), { 'Content-Encoding': 'br' }]
]

describe('a body', () => {
  let t: TestApp
  let ada: Person

  before(async () => {
    t = await startApp()
    ada = await newPerson(t)
  })
  after(() => t.stop())

  async function send(method: string, path: string, body: Body, headers = {}) {
    const signed = { ...json, Authorization: `Bearer ${ada.accessToken}`, ...headers }
    const response = await fetch(t.address + path, { method, body, headers: signed })

    return {
      status: response.status,
      headers: response.headers,
      body: response.headers.get('content-type')?.startsWith('application/json')
        ? await response.json()
        : await response.text()
    }
  }

  for (const [what, body, headers] of bodies) {
    it(`is refused: ${what}`, async () => {
      const before = await stored(t, ada.email)
      const calls = [
        ['POST', '/users'],
        ['POST', '/authentication'],
        ['PATCH', `/users/${ada.id}`],
        ['PATCH', `/sessions/${ada.session.id}`]
      ] as const

      for (const [method, path] of calls) {
        const answer = await send(method, path, body, headers)
        // Of an object, /authentication misses the strategy
        const statuses = path === '/authentication' ? [400, 401, 413, 415] : [400, 413, 415]

        assertRefused(answer, statuses, `${method} ${path}`)
      }

      assert.deepEqual(await stored(t, ada.email), before)
    })
  }

  it('is refused with 413 if it is too large', async () => {
    const answer = await send('POST', '/users', `{"email": "${'a'.repeat(200_000)}"}`)

    assertRefused(answer, [413], 'POST /users')
  })

  it('may be compressed', async () => {
    const body = JSON.stringify({ device: { name: 'Compressed' } })
    const path = `/sessions/${ada.session.id}`
    const gzip = await send('PATCH', path, gzipSync(body), { 'Content-Encoding': 'gzip' })

    // Taken or refused: both are HTTP (RFC 9110 §8.4), and neither is a failure
    assert.ok([200, 400, 415].includes(gzip.status))
  })

  it('is ignored by calls that take none', async () => {
    for (const [path, status] of [
      [`/sessions/${(await ada.signIn()).session.id}`, 200],
      ['/users', 405]
    ] as const) {
      assert.equal((await send('DELETE', path, '{"x": 1}')).status, status)
    }
    for (const path of ['/users/x', '/sessions/x', '/authentication/x', '/nowhere']) {
      assertRefused(await send('DELETE', path, '{bad'), [400, 401, 404], path)
    }
  })
})
