import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { startApp, type TestApp } from '../support/app.js'
import { assertDiscreet, assertRefused, sendRaw } from '../support/hostile.js'
import { newPerson, stored, type Person } from '../support/people.js'

const ids = [
  'null',
  'undefined',
  'NaN',
  'true',
  '0',
  '-1',
  '123',
  '123456789012', // twelve bytes: once an ObjectId
  '1e999',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'create',
  'find',
  '[object%20Object]',
  '%5Bobject%20Object%5D',
  '{"$ne":null}',
  '%7B%22%24ne%22%3Anull%7D',
  '$ne',
  '$where',
  '%zz',
  '%',
  '%00',
  '%ff',
  '%c0%ae%c0%ae',
  '%F0%9F%A6%80',
  '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
  '0123456789abcdef0123456g',
  '0123456789abcdef012345678',
  "'; drop table users; --",
  '<script>',
  'a'.repeat(8000)
]

const methods: [string, object | undefined][] = [
  ['GET', undefined],
  ['PATCH', { name: 'Changed' }],
  ['PUT', { name: 'Changed' }],
  ['DELETE', undefined],
  ['POST', { name: 'Changed' }]
]

describe('a path', () => {
  let t: TestApp
  let ada: Person
  let admin: Person

  before(async () => {
    t = await startApp()
    ada = await newPerson(t)
    admin = await newPerson(t, 'admin')
  })
  after(() => t.stop())

  for (const id of ids) {
    it(`may end in an odd id: ${id.slice(0, 40)}`, async () => {
      const before = [await stored(t, ada.email), await stored(t, admin.email)]

      for (const service of ['users', 'sessions', 'content', 'authentication', 'health', 'nowhere']) {
        for (const [method, body] of methods) {
          const path = `/${service}/${id}`
          // An admin is asked where an admin gets further
          const answer = await (service === 'users' ? admin : ada).ask(method, path, { body })

          assertRefused(answer, [400, 401, 404, 405], `${method} ${path}`)
        }
      }

      assert.deepEqual([await stored(t, ada.email), await stored(t, admin.email)], before)
    })
  }

  const paths = [
    '/__proto__',
    '/__proto__/x',
    '/constructor/prototype',
    '/users/__proto__/x',
    '/toString',
    '//',
    '/users//x',
    '/users/x/y/z',
    '/nowhere',
    '/%zz',
    '/%00',
    '/.env',
    '/config/default.json',
    '/package.json',
    '/src/index.ts',
    '/Users',
    '/users.json',
    '/socket.io',
    `/${'a/'.repeat(4000)}`
  ]

  for (const path of paths) {
    it(`may lead nowhere: ${path.slice(0, 40)}`, async () => {
      for (const [method, body] of methods) {
        assertRefused(await ada.ask(method, path, { body }), [400, 401, 404, 405], `${method} ${path}`)
      }
    })
  }

  const targets = [
    '/../../etc/passwd',
    '/..%2f..%2fconfig/default.json',
    '/./users/../config/default.json',
    '*',
    'users',
    '?x',
    'http://[/users',
    'http://',
    'http:///users',
    'http://evil.example/nowhere',
    '//evil.example/..;/%2e%2e?%%%',
    '\\\\users',
    '/users\\..\\..',
    '/\u0001',
    '/ü',
    `/${'a'.repeat(20_000)}`
  ]

  for (const target of targets) {
    it(`may be something that no client sends: ${JSON.stringify(target.slice(0, 40))}`, async () => {
      const bytes = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
      const status = await sendRaw(t.address, bytes)

      // 431: the line is too long (RFC 6585 §5)
      assert.ok([400, 401, 404, 414, 431].includes(status!), `${status}`)
    })
  }

  it('has no other methods', async () => {
    for (const method of ['OPTIONS', 'PROPFIND', 'LINK', 'SEARCH', 'PURGE', 'COPY']) {
      for (const path of ['/users', `/users/${ada.id}`, '/sessions', '/authentication', '/health']) {
        assertRefused(await ada.ask(method, path), [400, 404, 405], `${method} ${path}`)
      }
    }
  })

  it('answers HEAD as GET, without the body', async () => {
    const { status, body } = await ada.ask('HEAD', '/users')

    assert.equal(status, 200)
    assert.equal(body, '')
    assertDiscreet(body, 'HEAD')
  })
})
