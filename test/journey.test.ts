import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from './support/app.js'
import { restClient, type RestClient } from './support/rest.js'

const minute = 60 * 1000 // ms
const credentials = { email: 'ada@example.com', password: 'correct horse battery' }

// Each step goes on from the ones before it
describe('Ada', () => {
  let t: TestApp
  let client: RestClient
  // eslint-disable-next-line typescript/no-explicit-any -- bodies of answers
  let user: any, laptop: any, phone: any, oldRefreshToken: string

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
  })
  after(() => t.stop())

  const read = (board: string, token?: string) =>
    client.ask('GET', `/content/${board}`, token === undefined ? {} : { token })

  it('reads the public board, but not the one for users', async () => {
    assert.equal((await read('public')).status, 200)
    assert.equal((await read('user')).status, 401)
  })

  it('signs up', async () => {
    const { status, body } = await client.ask('POST', '/users', { body: { ...credentials, name: 'Ada' } })

    user = body
    assert.equal(status, 201)
    assert.equal(user.email, credentials.email)
  })

  it('signs in on her laptop', async () => {
    const device = { id: 'laptop', name: 'Laptop' }
    const { status, body } = await client.authenticate({ strategy: 'local', ...credentials, device })

    laptop = body
    assert.equal(status, 201)
    assert.deepEqual(laptop.user, user)
    assert.equal(laptop.session.device.name, 'Laptop')
  })

  it('reads the board for users', async () => {
    const { status, body } = await read('user', laptop.accessToken)

    assert.equal(status, 200)
    assert.equal(body.id, 'user')
  })

  it('is asked to refresh when the access token is fifteen minutes old', async () => {
    t.clock.advance(15 * minute)

    const { status, headers, body } = await read('user', laptop.accessToken)

    assert.equal(status, 401)
    assert.equal(body.data.reason, 'expired')
    assert.equal(headers.get('www-authenticate'), 'Bearer error="invalid_token"')
  })

  it('refreshes, and continues reading', async () => {
    const { status, body } = await client.refresh(laptop.refreshToken)

    oldRefreshToken = laptop.refreshToken
    laptop = body
    assert.equal(status, 201)
    assert.notEqual(laptop.refreshToken, oldRefreshToken)
    assert.equal((await read('user', laptop.accessToken)).status, 200)
  })

  it('signs in on her phone, and sees both', async () => {
    const device = { id: 'phone', name: 'iPhone' }

    phone = (await client.authenticate({ strategy: 'local', ...credentials, device })).body

    const { body } = await client.ask('GET', '/sessions', { token: phone.accessToken })

    assert.deepEqual(
      body.map(({ device, current }: typeof laptop) => [device.name, current]),
      [
        ['iPhone', true],
        ['Laptop', false]
      ]
    )
  })

  it('renames the laptop', async () => {
    const { status, body } = await client.ask('PATCH', `/sessions/${laptop.session.id}`, {
      token: phone.accessToken,
      body: { device: { name: 'Old laptop' } }
    })

    assert.equal(status, 200)
    assert.equal(body.device.name, 'Old laptop')
  })

  it('loses the laptop, and ends its session from the phone', async () => {
    const { status, body } = await client.ask('DELETE', `/sessions/${laptop.session.id}`, {
      token: phone.accessToken
    })

    assert.equal(status, 200)
    assert.equal(body.id, laptop.session.id)
  })

  it('is out of reach for whoever found the laptop', async () => {
    for (const refreshToken of [laptop.refreshToken, oldRefreshToken]) {
      assert.equal((await client.refresh(refreshToken)).body.data.reason, 'revoked')
    }

    assert.equal((await read('user', laptop.accessToken)).body.data.reason, 'revoked')
    assert.equal((await read('user', phone.accessToken)).status, 200)
  })

  it('signs out', async () => {
    const { status } = await client.ask('DELETE', '/authentication', { token: phone.accessToken })

    assert.equal(status, 200)
    assert.equal((await read('user', phone.accessToken)).status, 401)
    assert.equal((await client.refresh(phone.refreshToken)).body.data.reason, 'revoked')
  })

  it('signs in again', async () => {
    const { status, body } = await client.authenticate({ strategy: 'local', ...credentials })

    assert.equal(status, 201)
    assert.equal((await client.ask('GET', '/sessions', { token: body.accessToken })).body.length, 1)
  })
})
