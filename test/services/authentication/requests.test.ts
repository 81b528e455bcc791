import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { fieldsOf, newPerson, type Person } from '../../support/people.js'
import { password, restClient, type RestClient } from '../../support/rest.js'

const email = 'ada@example.com'
const local = { strategy: 'local', email, password }

// What is wrong with a request, and the fields that its 400 names
const malformed: [object, string[]][] = [
  [{ strategy: 'local' }, ['email', 'password']],
  [{ strategy: 'local', email }, ['password']],
  [{ strategy: 'local', password }, ['email']],
  [{ ...local, email: null }, ['email']],
  [{ ...local, email: 1 }, ['email']],
  [{ ...local, email: true }, ['email']],
  [{ ...local, email: [email] }, ['email']],
  [{ ...local, email: { $ne: null } }, ['email']],
  [{ ...local, email: { $gt: '' } }, ['email']],
  [{ ...local, password: null }, ['password']],
  [{ ...local, password: 12345678 }, ['password']],
  [{ ...local, password: [password] }, ['password']],
  [{ ...local, password: { $ne: 'x' } }, ['password']],
  [{ ...local, email: { $ne: 'x' }, password: { $ne: 'x' } }, ['email', 'password']],
  [{ ...local, color: 'red' }, ['color']],
  [{ ...local, refreshToken: 'x' }, ['refreshToken']],
  [{ ...local, idempotencyKey: 'x' }, ['idempotencyKey']],
  [{ ...local, device: null }, ['device']],
  [{ ...local, device: '' }, ['device.name']],
  [{ ...local, device: 'a'.repeat(101) }, ['device.name']],
  [{ ...local, device: ['laptop'] }, ['device']],
  [{ ...local, device: { id: '' } }, ['device.id']],
  [{ ...local, device: { id: 'a'.repeat(129) } }, ['device.id']],
  [{ ...local, device: { id: 1 } }, ['device.id']],
  [{ ...local, device: { id: null } }, ['device.id']],
  [{ ...local, device: { id: { $ne: 'x' } } }, ['device.id']],
  [{ ...local, device: { name: '' } }, ['device.name']],
  [{ ...local, device: { name: 'a'.repeat(101) } }, ['device.name']],
  [{ ...local, device: { name: ['x'] } }, ['device.name']],
  [{ ...local, device: { ip: '127.0.0.1' } }, ['device.ip']],
  [{ ...local, device: { userAgent: 'x' } }, ['device.userAgent']],
  [{ strategy: 'refresh-token' }, ['refreshToken']],
  [{ strategy: 'refresh-token', refreshToken: null }, ['refreshToken']],
  [{ strategy: 'refresh-token', refreshToken: 1 }, ['refreshToken']],
  [{ strategy: 'refresh-token', refreshToken: ['x'] }, ['refreshToken']],
  [{ strategy: 'refresh-token', refreshToken: { $ne: 'x' } }, ['refreshToken']],
  [{ strategy: 'refresh-token', refreshToken: 'x', idempotencyKey: '' }, ['idempotencyKey']],
  [{ strategy: 'refresh-token', refreshToken: 'x', idempotencyKey: 'a'.repeat(129) }, ['idempotencyKey']],
  [{ strategy: 'refresh-token', refreshToken: 'x', idempotencyKey: 1 }, ['idempotencyKey']],
  [{ strategy: 'refresh-token', refreshToken: 'x', idempotencyKey: null }, ['idempotencyKey']],
  [{ strategy: 'refresh-token', refreshToken: 'x', device: { id: 'x' } }, ['device']],
  [{ strategy: 'refresh-token', refreshToken: 'x', email }, ['email']],
  [{ strategy: 'jwt' }, ['accessToken']],
  [{ strategy: 'jwt', accessToken: null }, ['accessToken']],
  [{ strategy: 'jwt', accessToken: 1 }, ['accessToken']],
  [{ strategy: 'jwt', accessToken: ['x'] }, ['accessToken']],
  [{ strategy: 'jwt', accessToken: { $ne: 'x' } }, ['accessToken']],
  [{ strategy: 'jwt', accessToken: 'x', device: 1 }, ['device']],
  [{ ...local, strategy: 1 }, ['strategy']],
  [{ ...local, strategy: null }, ['strategy']],
  [{ ...local, strategy: ['local'] }, ['strategy']],
  [{ ...local, strategy: { $ne: 'jwt' } }, ['strategy']]
]

// No credentials that could be judged: 401 without a reason
const strategyless: object[] = [
  {},
  { email, password },
  { ...local, strategy: '' },
  { ...local, strategy: 'Local' },
  { ...local, strategy: 'oauth' },
  { ...local, strategy: '__proto__' },
  { ...local, strategy: 'constructor' },
  { ...local, strategy: 'toString' },
  { ...local, strategy: 'local '.repeat(1000) }
]

describe('POST /authentication', () => {
  let t: TestApp
  let client: RestClient
  let ada: Person

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
    ada = await newPerson(t)
    await client.signUp({ email })
  })
  after(() => t.stop())

  for (const [body, fields] of malformed) {
    it(`answers 400 and names the field: ${JSON.stringify(body).slice(0, 90)}`, async () => {
      const answer = await client.authenticate(body)

      assert.equal(answer.status, 400)
      assert.equal(answer.body.name, 'BadRequest')
      assert.deepEqual(fieldsOf(answer).sort(), fields)
    })
  }

  for (const body of strategyless) {
    it(`answers 401 without a reason: ${JSON.stringify(body).slice(0, 60)}`, async () => {
      const { status, headers, body: answer } = await client.authenticate(body)

      assert.equal(status, 401)
      assert.equal(answer.name, 'NotAuthenticated')
      assert.equal(answer.data?.reason, undefined)
      assert.equal(headers.get('www-authenticate'), 'Bearer')
    })
  }

  it('opens no session for any of these', async () => {
    const user = await t.db.collection('users').findOne({ email })

    assert.deepEqual(user!.sessions, [])
  })

  for (const header of [
    (token: string) => `Basic ${token}`,
    (token: string) => `Digest ${token}`,
    (token: string) => `Basic Bearer ${token}`,
    () => 'Bearer',
    () => 'Bearer ',
    () => 'Basic YWRhOmFkYQ=='
  ]) {
    it(`sees no token in the header "${header('TOKEN')}"`, async () => {
      const { status, headers, body } = await client.ask('GET', '/sessions', {
        headers: { Authorization: header(ada.accessToken) }
      })

      assert.equal(status, 401)
      assert.equal(body.data?.reason, undefined)
      assert.equal(headers.get('www-authenticate'), 'Bearer')
    })
  }

  for (const header of [
    (token: string) => `bearer ${token}`,
    (token: string) => `BEARER ${token}`,
    (token: string) => `Bearer  ${token}`,
    // As Feathers does
    (token: string) => token,
    (token: string) => `XBearer ${token}`,
    (token: string) => `Bearer: ${token}`,
    (token: string) => `Bearer ${token} ${token}`
  ]) {
    it(`sees a token in the header "${header('TOKEN')}" (RFC 9110 §11.1)`, async () => {
      const { status } = await client.ask('GET', '/sessions', {
        headers: { Authorization: header(ada.accessToken) }
      })

      assert.equal(status, 200)
    })
  }

  for (const header of [
    (token: string) => `Bearer${token}`,
    (token: string) => `Bearer,${token}`,
    (token: string) => `Bearer Bearer ${token}`,
    (token: string) => `Bearer ${token},`,
    (token: string) => `Bearer "${token}"`,
    () => `Bearer ${'a'.repeat(10_000)}`
  ]) {
    it(`sees a bad token in the header "${header('TOKEN').slice(0, 30)}"`, async () => {
      const { status, headers, body } = await client.ask('GET', '/sessions', {
        headers: { Authorization: header(ada.accessToken) }
      })

      assert.equal(status, 401)
      assert.equal(body.data.reason, 'invalid')
      assert.equal(headers.get('www-authenticate'), 'Bearer error="invalid_token"')
    })
  }

  it('is the only way in: a token in a query or a cookie is none', async () => {
    const paths = [`/sessions?accessToken=${ada.accessToken}`, `/sessions?access_token=${ada.accessToken}`]

    for (const path of paths) {
      assert.equal((await client.ask('GET', path)).status, 401)
    }

    const headers = { Cookie: `feathers-jwt=${ada.accessToken}; accessToken=${ada.accessToken}` }

    assert.equal((await client.ask('GET', '/sessions', { headers })).status, 401)
  })
})
