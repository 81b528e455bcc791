import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, type Person } from '../../support/people.js'
import { atOnce, restClient, tally, type RestClient } from '../../support/rest.js'

describe('DELETE /authentication', () => {
  let t: TestApp
  let client: RestClient
  let ada: Person

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
  })
  beforeEach(async () => {
    ada = await newPerson(t)
  })
  after(() => t.stop())

  it('answers as stock Feathers does', async () => {
    const { status, body } = await ada.ask('DELETE', '/authentication')

    assert.equal(status, 200)
    assert.deepEqual(Object.keys(body).sort(), ['accessToken', 'authentication', 'user'])
    assert.deepEqual(Object.keys(body.authentication).sort(), ['accessToken', 'payload', 'strategy'])
    assert.equal(body.accessToken, ada.accessToken)
    assert.equal(body.authentication.strategy, 'jwt')
    assert.equal(body.user._id, ada.id)
    assert.doesNotMatch(JSON.stringify(body), /argon2|sessions|refreshToken/)
  })

  it('ends this session, with all its tokens, and no other', async () => {
    const phone = await ada.signIn()
    const { body: refreshed } = await client.refresh(ada.refreshToken)

    await ada.ask('DELETE', '/authentication')

    for (const { accessToken, refreshToken } of [ada, refreshed]) {
      assert.equal((await client.ask('GET', '/sessions', { token: accessToken })).body.data.reason, 'revoked')
      assert.equal((await client.refresh(refreshToken)).body.data.reason, 'revoked')
      assert.equal((await client.authenticate({ strategy: 'jwt', accessToken })).body.data.reason, 'revoked')
    }

    const { body } = await client.ask('GET', '/sessions', { token: phone.accessToken })

    assert.deepEqual(
      body.map(({ id }: { id: string }) => id),
      [phone.session.id]
    )
  })

  it('happens once, even if many requests come at once', async () => {
    const answers = await atOnce(20, () => ada.ask('DELETE', '/authentication'))
    const { 200: done = 0, ...rest } = tally(answers)

    assert.ok(done >= 1)
    assert.deepEqual(
      Object.keys(rest).filter((outcome) => outcome !== '401 revoked'),
      []
    )
    assert.equal((await ada.ask('DELETE', '/authentication')).body.data.reason, 'revoked')
  })

  it('answers 401 without a token', async () => {
    for (const path of ['/authentication', '/authentication/', '/authentication/x', '/authentication/null']) {
      const { status, headers, body } = await client.ask('DELETE', path)

      assert.equal(status, 401)
      assert.equal(body.data, undefined)
      assert.equal(headers.get('www-authenticate'), 'Bearer')
    }
  })

  it("accepts the caller's access token as id, as stock Feathers does", async () => {
    assert.equal((await ada.ask('DELETE', `/authentication/${ada.accessToken}`)).status, 200)
    assert.equal((await ada.ask('GET', '/sessions')).body.data.reason, 'revoked')
  })

  it('answers 401 to any other id, and ends nothing', async () => {
    const bob = await newPerson(t)
    const ids = [
      'x',
      'null',
      ada.refreshToken,
      bob.accessToken,
      ada.id,
      ada.session.id,
      '%00',
      'a'.repeat(5000)
    ]

    for (const id of ids) {
      const { status, body } = await ada.ask('DELETE', `/authentication/${id}`)

      assert.equal(status, 401)
      assert.equal(body.data.reason, 'invalid')
    }

    assert.equal((await ada.ask('GET', '/sessions')).status, 200)
    assert.equal((await bob.ask('GET', '/sessions')).status, 200)
  })

  it('accepts no refresh token', async () => {
    const { status, body } = await ada.ask('DELETE', '/authentication', { token: ada.refreshToken })

    assert.equal(status, 401)
    assert.equal(body.data.reason, 'invalid')
    assert.equal((await ada.ask('GET', '/sessions')).status, 200)
  })

  it('has no other methods than POST', async () => {
    for (const method of ['GET', 'PUT', 'PATCH']) {
      for (const path of ['/authentication', '/authentication/x']) {
        assert.equal((await ada.ask(method, path)).status, 405)
      }
    }
  })
})
