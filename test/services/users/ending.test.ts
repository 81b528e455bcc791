import { ObjectId } from 'mongodb'
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { EndedEvent } from '../../../src/refresh-token/index.js'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, stored, type Person } from '../../support/people.js'
import { password, restClient, type RestClient } from '../../support/rest.js'
import { connect } from '../../support/socket.js'

const newPassword = 'another horse battery'

describe('a change of a user', () => {
  let t: TestApp
  let client: RestClient
  let admin: Person
  let ada: Person
  // eslint-disable-next-line typescript/no-explicit-any -- the body of an answer
  let phone: any

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
    admin = await newPerson(t, 'admin')
  })
  beforeEach(async () => {
    ada = await newPerson(t)
    phone = await ada.signIn()
  })
  after(() => t.stop())

  const change = (person: Person, body: object, id = ada.id) => person.ask('PATCH', `/users/${id}`, { body })
  const ids = async () => (await stored(t, ada.email)).sessions.map(({ id }: { id: string }) => id)

  /** What the access token and the refresh token of a login get: a status or a reason each. */
  async function tokensGet({ accessToken, refreshToken }: { accessToken: string; refreshToken: string }) {
    const answers = [
      await client.ask('GET', '/sessions', { token: accessToken }),
      await client.authenticate({ strategy: 'jwt', accessToken }),
      await client.refresh(refreshToken)
    ]

    return answers.map(({ status, body }) => body.data?.reason ?? status)
  }

  it("that sets a new password ends all sessions but the caller's", async () => {
    await change(ada, { password: newPassword, currentPassword: password })

    assert.deepEqual(await ids(), [ada.session.id])
    assert.deepEqual(await tokensGet(phone), ['revoked', 'revoked', 'revoked'])
    assert.deepEqual(await tokensGet(ada), [200, 201, 201])
  })

  it("that is a new password by an admin ends all the user's sessions, and none of the admin's", async () => {
    await change(admin, { password: newPassword })

    assert.deepEqual(await ids(), [])
    assert.deepEqual(await tokensGet(ada), ['revoked', 'revoked', 'revoked'])
    assert.equal((await admin.ask('GET', '/sessions')).status, 200)
  })

  it('that is the same password again ends them too', async () => {
    await change(ada, { password, currentPassword: password })

    assert.deepEqual(await ids(), [ada.session.id])
  })

  it('that is refused ends no session', async () => {
    await change(ada, { password: newPassword, currentPassword: 'wrong horse' })
    await change(ada, { password: newPassword })
    await change(ada, { password: 'short', currentPassword: password })
    await change(ada, { password: newPassword, email: admin.email, currentPassword: password })
    await change(admin, { disabled: true, email: admin.email })

    assert.deepEqual(await ids(), [ada.session.id, phone.session.id])
    assert.deepEqual(await tokensGet(phone), [200, 201, 201])
  })

  it('of name, email or roles ends no session', async () => {
    await change(admin, { name: 'Ada', roles: ['moderator'], disabled: false })
    await change(ada, { email: ada.email.toUpperCase(), currentPassword: password })

    assert.deepEqual(await ids(), [ada.session.id, phone.session.id])
    assert.deepEqual(await tokensGet(phone), [200, 201, 201])
  })

  it('tells the sockets of the sessions that end, also when the id is in upper case', async () => {
    const socket = await connect(t.address)

    try {
      await socket.call('create', 'authentication', { strategy: 'jwt', accessToken: phone.accessToken })
      await change(ada, { password: newPassword, currentPassword: password }, ada.id.toUpperCase())

      const { id, reason } = await socket.next('sessions removed')

      assert.deepEqual([id, reason], [phone.session.id, 'password'])
      await socket.disconnected()
    } finally {
      socket.close()
    }
  })

  it('of several users at once, by server code, ends the sessions of each', async () => {
    const grace = await newPerson(t)
    const _ids = [ada, grace].map(({ id }) => new ObjectId(id))
    const params = { query: { _id: { $in: _ids } }, adapter: { multi: true } }
    // eslint-disable-next-line typescript/no-explicit-any -- calls that its types don't allow
    const users: any = t.app.service('users')
    const reasons: string[] = []
    const note = ({ userId, reason }: EndedEvent) => userId === grace.id && reasons.push(reason)

    t.app.service('authentication').sessions.on('ended', note)
    assert.equal((await users.patch(null, { password: newPassword }, params)).length, 2)
    assert.deepEqual([...(await tokensGet(ada)), ...(await tokensGet(grace))], Array(6).fill('revoked'))

    await client.signIn(grace.email, { password: newPassword })
    assert.equal((await users.patch(null, { name: 'All' }, params)).length, 2)
    assert.equal((await stored(t, grace.email)).sessions.length, 1)
    assert.equal((await users.remove(null, params)).length, 2)
    t.app.service('authentication').sessions.off('ended', note)
    assert.deepEqual(reasons, ['password', 'deleted'])
    await assert.rejects(users.patch(null, { password: newPassword }, {}), { code: 405 })
    await assert.rejects(users.remove(null, {}), { code: 405 })
  })

  it('takes an id in upper case', async () => {
    await change(ada, { password: newPassword, currentPassword: password }, ada.id.toUpperCase())
    assert.deepEqual(await ids(), [ada.session.id])
    await change(admin, { disabled: true }, ada.id.toUpperCase())
    assert.deepEqual(await ids(), [])
  })

  describe('that disables', () => {
    beforeEach(() => change(admin, { disabled: true }))

    it('ends all sessions', async () => {
      assert.deepEqual(await ids(), [])
      assert.deepEqual(await tokensGet(ada), ['disabled', 'disabled', 'disabled'])
      assert.deepEqual(await tokensGet(phone), ['disabled', 'disabled', 'disabled'])
    })

    it('keeps the user out, and tells only those who have the password', async () => {
      const right = await client.signIn(ada.email)
      const wrong = await client.signIn(ada.email, { password: 'wrong horse' })

      assert.deepEqual([right.status, right.body.data], [401, { reason: 'disabled' }])
      assert.deepEqual([wrong.status, wrong.body.data], [401, undefined])
    })

    it('is undone by enabling, which brings no session back', async () => {
      const { body } = await change(admin, { disabled: false })

      assert.equal(body.disabled, false)
      assert.deepEqual(await tokensGet(phone), ['revoked', 'revoked', 'revoked'])
      assert.equal((await client.signIn(ada.email)).status, 201)
    })
  })

  it('that disables an admin takes effect on that admin at once', async () => {
    const other = await newPerson(t, 'admin')

    await change(admin, { disabled: true }, other.id)
    assert.equal((await other.ask('GET', '/users')).body.data.reason, 'disabled')
  })
})
