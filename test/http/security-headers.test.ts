import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { newPerson, type Person } from '../support/people.js'
import { password, restClient, type Answer, type RestClient } from '../support/rest.js'

const policy =
  "default-src 'none';script-src 'self';style-src 'self';img-src 'self';connect-src 'self';" +
  "base-uri 'none';form-action 'none';frame-ancestors 'none'"

const expected = {
  'content-security-policy': policy,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'x-powered-by': null,
  server: null,
  'strict-transport-security': null
}

const some = (headers: Headers, names: object) =>
  Object.fromEntries(Object.keys(names).map((name) => [name, headers.get(name)]))

describe('every answer', () => {
  let t: TestApp
  let client: RestClient
  let ada: Person
  let admin: Person

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
    ada = await newPerson(t)
    admin = await newPerson(t, 'admin')
  })
  after(() => t.stop())

  const newUser = (email = `${randomUUID()}@example.com`) => ({ body: { email, password } })
  const big = { body: { email: 'a'.repeat(200_000) } }

  const answers: [string, number, () => Promise<Answer>][] = [
    ['of a service', 200, () => client.ask('GET', '/health')],
    ['to HEAD', 200, () => client.ask('HEAD', '/health')],
    ['to a sign-up', 201, () => client.ask('POST', '/users', newUser())],
    ['to a sign-in', 201, () => client.signIn(ada.email)],
    ['to a refresh', 201, async () => client.refresh((await ada.signIn()).refreshToken)],
    ['of the own sessions', 200, () => ada.ask('GET', '/sessions')],
    ['to a page of users', 200, () => admin.ask('GET', '/users')],
    ['to a change', 200, () => ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })],
    ['to wrong data', 400, () => client.ask('POST', '/users', { body: {} })],
    ['to broken JSON', 400, () => client.ask('POST', '/users', { body: '{' })],
    ['to a service without a token', 401, () => client.ask('GET', '/sessions')],
    ['to a forged token', 401, () => client.ask('GET', '/sessions', { token: 'forged' })],
    ['to a wrong password', 401, () => client.signIn(ada.email, { password: 'wrong horse battery' })],
    ['to a forged refresh token', 401, () => client.refresh('forged')],
    ['to an unknown strategy', 401, () => client.authenticate({ strategy: 'magic' })],
    ['to signing out without a token', 401, () => client.ask('DELETE', '/authentication')],
    ['to one without the role', 403, () => ada.ask('GET', '/content/admin')],
    ['on an unknown path', 404, () => client.ask('GET', '/nowhere')],
    ['on __proto__', 404, () => client.ask('GET', '/__proto__')],
    ['on an unknown id', 404, () => ada.ask('GET', `/sessions/${randomUUID()}`)],
    ['to a method that is not there', 405, () => client.ask('PUT', '/health', { body: {} })],
    ['to a taken email', 409, () => client.ask('POST', '/users', newUser(ada.email))],
    ['to a body that is too large', 413, () => client.ask('POST', '/users', big)]
  ]

  for (const [what, status, ask] of answers) {
    it(`${what} (${status}) has the headers of security, and is not stored`, async () => {
      const answer = await ask()

      assert.equal(answer.status, status)
      assert.deepEqual(some(answer.headers, expected), expected)
      assert.equal(answer.headers.get('Cache-Control'), 'no-store')
    })
  }

  it('that is 401, and no other, has a challenge', async () => {
    for (const [what, status, ask] of answers) {
      const challenge = (await ask()).headers.get('WWW-Authenticate')
      const forged = what.includes('forged')

      assert.equal(
        challenge,
        status === 401 ? (forged ? 'Bearer error="invalid_token"' : 'Bearer') : null,
        what
      )
    }
  })

  it('to a preflight has the headers of security', async () => {
    const { status, headers } = await client.ask('OPTIONS', '/users', {
      headers: { Origin: 'http://localhost:3030', 'Access-Control-Request-Method': 'POST' }
    })

    assert.equal(status, 204)
    assert.deepEqual(some(headers, expected), expected)
  })

  for (const [what, path, status] of [
    ['a handshake', '/socket.io/?EIO=4&transport=polling', 200],
    ['an unknown connection', '/socket.io/?EIO=4&transport=polling&sid=unknown', 400],
    ['an unknown transport', '/socket.io/?EIO=4&transport=pigeon', 400]
  ] as const) {
    it(`of Socket.IO to ${what} has the headers of security`, async () => {
      const answer = await client.ask('GET', path)

      assert.equal(answer.status, status)
      assert.deepEqual(some(answer.headers, expected), expected)
      assert.equal(answer.headers.get('Cache-Control'), status === 200 ? 'no-store' : null)
    })
  }

  it('allows no script, style or page that is not one of our files', () => {
    assert.doesNotMatch(policy, /unsafe|data:|blob:|https?:|\*/)
  })

  it('demands HTTPS in production only', async () => {
    const secret = randomUUID() + randomUUID()
    const settings = {
      authentication: { secret, 'refresh-token': { secret: secret.toUpperCase() } }
    }
    const { NODE_ENV } = process.env

    process.env.NODE_ENV = 'production'
    try {
      await withApp({ settings }, async ({ address }) => {
        for (const path of ['/health', '/nowhere', '/socket.io/?EIO=4&transport=polling']) {
          const { headers } = await restClient(address).ask('GET', path)

          assert.equal(headers.get('Strict-Transport-Security'), 'max-age=31536000')
        }
      })
    } finally {
      process.env.NODE_ENV = NODE_ENV
    }
  })
})
