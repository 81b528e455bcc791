import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, type Person } from '../../support/people.js'
import { password, restClient, type RestClient } from '../../support/rest.js'

describe('DELETE /users/:id', () => {
  let t: TestApp
  let client: RestClient
  let admin: Person
  let ada: Person

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
    admin = await newPerson(t, 'admin')
  })
  beforeEach(async () => {
    ada = await newPerson(t)
  })
  after(() => t.stop())

  const exists = async () => (await t.db.collection('users').countDocuments({ email: ada.email })) === 1

  it('removes the user and all sessions, if the user asks', async () => {
    const { status, body } = await ada.ask('DELETE', `/users/${ada.id}`)

    assert.equal(status, 200)
    assert.equal(body.email, ada.email)
    assert.equal(await exists(), false)
    assert.equal((await ada.ask('GET', '/sessions')).body.data.reason, 'revoked')
    assert.equal((await client.refresh(ada.refreshToken)).body.data.reason, 'revoked')
    assert.equal((await client.authenticate({ strategy: 'jwt', accessToken: ada.accessToken })).status, 401)
    assert.equal((await client.signIn(ada.email)).body.data, undefined)
  })

  it('removes them, if an admin asks', async () => {
    assert.equal((await admin.ask('DELETE', `/users/${ada.id.toUpperCase()}`)).status, 200)
    assert.equal(await exists(), false)
    assert.equal((await client.refresh(ada.refreshToken)).body.data.reason, 'revoked')
    assert.equal((await admin.ask('DELETE', `/users/${ada.id}`)).status, 404)
  })

  it("answers 404 for another's id, as for an unknown one", async () => {
    const bob = await newPerson(t, 'moderator')
    const another = await bob.ask('DELETE', `/users/${ada.id}`)
    const unknown = await bob.ask('DELETE', '/users/0123456789abcdef01234567')

    assert.equal(another.status, 404)
    assert.equal(unknown.status, 404)
    assert.equal(
      another.body.message.replace(ada.id, ''),
      unknown.body.message.replace('0123456789abcdef01234567', '')
    )
    assert.equal(await exists(), true)
  })

  it('frees the email', async () => {
    await ada.ask('DELETE', `/users/${ada.id}`)

    const { body } = await client.ask('POST', '/users', { body: { email: ada.email, password } })

    assert.notEqual(body._id, ada.id)
    assert.equal((await client.refresh(ada.refreshToken)).body.data.reason, 'revoked')
  })

  it('answers 401 without a token', async () => {
    assert.equal((await client.ask('DELETE', `/users/${ada.id}`)).status, 401)
    assert.equal(await exists(), true)
  })
})
