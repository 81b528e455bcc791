import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { assertDiscreet } from '../support/hostile.js'
import { mailTo } from '../support/mailbox.js'
import { newPerson, stored, type Person } from '../support/people.js'

const numRuns = 100
const keys = [
  'strategy',
  'email',
  'password',
  'currentPassword',
  'name',
  'roles',
  'disabled',
  'device',
  'id',
  '_id',
  'sessions',
  'accessToken',
  'refreshToken',
  'idempotencyKey',
  'token',
  'keep',
  'code',
  'emailVerified',
  'pendingEmail',
  'toJSON',
  'then',
  'length',
  '__proto__',
  'constructor',
  '$set',
  '$ne',
  '$gt',
  'a.b',
  ''
]
const values = [
  'local',
  'jwt',
  'refresh-token',
  'email-code',
  'admin',
  '',
  'a@example.com',
  'correct horse',
  '\0',
  '\ud800',
  0,
  -1,
  true,
  null
]

/** JSON that looks like what the service takes, and is not. */
const lookalike = fc.letrec<{ value: unknown; object: object }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(...values),
    fc.jsonValue(),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object')
  ),
  object: fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), tie('value'), { maxKeys: 6 })
}))

describe('anything that is sent', () => {
  let t: TestApp
  let ada: Person

  before(async () => {
    t = await startApp({
      settings: mailTo(
        { url: 'smtp://127.0.0.1:1' },
        { authentication: { authStrategies: ['jwt', 'local', 'refresh-token', 'email-code'] } }
      )
    })
    ada = await newPerson(t)
  })
  after(() => t.stop())

  const calls = () =>
    [
      ['POST', '/users'],
      ['POST', '/authentication'],
      ['PATCH', `/users/${ada.id}`],
      ['PATCH', `/sessions/${ada.session.id}`],
      ['POST', '/password-resets'],
      ['PATCH', '/password-resets/unknown'],
      ['POST', '/email-verifications'],
      ['PATCH', '/email-verifications/unknown'],
      ['POST', '/sign-in-codes']
    ] as const

  /** What is stored of Ada, but for her name, the device's, and the links that she asked for. */
  async function kept() {
    const {
      name: _name,
      emailVerification: _verification,
      passwordReset: _reset,
      notices: _notices,
      sessions,
      ...user
    } = await stored(t, ada.email)

    return {
      ...user,
      sessions: sessions.map(({ device: _device, ...session }: { device: object }) => session)
    }
  }

  it('as a body, never makes the service fail', async () => {
    await fc.assert(
      fc.asyncProperty(lookalike.object, async (body) => {
        for (const [method, path] of calls()) {
          const { status, body: answer } = await ada.ask(method, path, { body })

          assert.ok(status < 500, `${method} ${path} is answered by ${status}`)
          assertDiscreet(answer, path)
        }
      }),
      { numRuns }
    )
  })

  it('in addition to what a request needs, never makes it fail either, and changes nothing that it may not', async () => {
    const needed: Record<string, object> = {
      '/users': { email: 'new@example.com', password: 'short' },
      '/authentication': { strategy: 'local', email: ada.email, password: 'wrong horse' },
      [`/users/${ada.id}`]: { name: 'Ada' },
      [`/sessions/${ada.session.id}`]: { device: { name: 'Laptop' } }
    }
    const before = await kept()

    await fc.assert(
      fc.asyncProperty(lookalike.object, async (more) => {
        for (const [method, path] of calls()) {
          const body = { ...more, ...needed[path] }

          assert.ok((await ada.ask(method, path, { body })).status < 500, `${method} ${path}`)
        }
      }),
      { numRuns }
    )

    assert.deepEqual(await kept(), before)
  })

  it('as a query or an id, never makes the service fail', async () => {
    const piece = fc.oneof(
      fc.constantFrom(...keys, '$or', '$and', '$sort', '$select', '$limit', '$in'),
      fc.string()
    )
    const key = fc
      .tuple(piece, fc.array(piece, { maxLength: 3 }))
      .map(([first, rest]) => [first, ...rest.map((part) => `[${part}]`)].join(''))
    const query = fc
      .array(fc.tuple(key, fc.oneof(piece, fc.constantFrom('1', '-1', 'true', '[]'))), { maxLength: 5 })
      .map((pairs) => pairs.map((pair) => pair.map(encodeURIComponentOrNot).join('=')).join('&'))

    await fc.assert(
      fc.asyncProperty(query, piece, async (query, id) => {
        for (const service of ['users', 'sessions', 'content', 'health']) {
          const list = await ada.ask('GET', `/${service}?${query}`)
          const one = await ada.ask('GET', `/${service}/${encodeURIComponentOrNot(id)}?${query}`)

          assert.ok(list.status < 500 && one.status < 500, `${list.status} ${one.status}`)
        }
      }),
      { numRuns }
    )
  })
})

/** As a browser would; a lone surrogate goes as it is. */
function encodeURIComponentOrNot(text: string): string {
  try {
    return encodeURIComponent(text)
  } catch {
    return text
  }
}
