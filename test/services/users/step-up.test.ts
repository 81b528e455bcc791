import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, type Person } from '../../support/people.js'
import { restClient, type Answer } from '../../support/rest.js'
import { connect } from '../../support/socket.js'

const minute = 60_000 // ms

describe("deleting one's own account", () => {
  let t: TestApp

  before(async () => {
    t = await startApp()
  })
  after(() => t.stop())

  const remove = ({ ask, id }: Person, token?: string) =>
    ask('DELETE', `/users/${id}`, { ...(token && { token }) })
  const count = ({ email }: Person) => t.db.collection('users').countDocuments({ email })

  function assertAsked({ status, headers, body }: Answer) {
    assert.equal(status, 401)
    assert.deepEqual(body.data, { reason: 'step-up', within: 600, factors: [] })
    assert.equal(
      headers.get('WWW-Authenticate'),
      'Bearer error="insufficient_user_authentication", max_age=600'
    )
  }

  it('requires a sign-in within the last ten minutes; a refresh is not enough', async () => {
    const ada = await newPerson(t)
    const client = restClient(t.address)

    t.clock.advance(10 * minute + 1000)
    assertAsked(await remove(ada))

    const { body: refreshed } = await client.refresh(ada.refreshToken)

    assertAsked(await remove(ada, refreshed.accessToken))
    assertAsked(await remove(ada, (await client.refresh(refreshed.refreshToken)).body.accessToken))
    assert.equal(await count(ada), 1)
    assert.equal((await remove(ada, (await ada.signIn()).accessToken)).status, 200)
    assert.equal(await count(ada), 0)
  })

  it('works within that time, after a refresh too', async () => {
    const ada = await newPerson(t)

    t.clock.advance(9 * minute)

    const { body } = await restClient(t.address).refresh(ada.refreshToken)

    assert.equal((await remove(ada, body.accessToken)).status, 200)
  })

  it('requires one over a socket too, and of an admin', async () => {
    const admin = await newPerson(t, 'admin')
    const socket = await connect(t.address)

    await socket.call('create', 'authentication', { strategy: 'jwt', accessToken: admin.accessToken })
    t.clock.advance(11 * minute)
    await assert.rejects(
      socket.call('remove', 'users', admin.id),
      ({ code, data }) => code === 401 && data.reason === 'step-up'
    )
    assertAsked(await remove(admin))
    socket.close()
  })

  it('requires one if the access token does not say when its user signed in', async () => {
    const ada = await newPerson(t)
    const service = t.app.service('authentication')

    assertAsked(
      await remove(ada, await service.createAccessToken({ sid: ada.session.id }, { subject: ada.id }))
    )
  })

  it('does not concern an admin who deletes another user', async () => {
    const [admin, ada] = [await newPerson(t, 'admin'), await newPerson(t)]

    t.clock.advance(11 * minute)
    assert.equal((await admin.ask('DELETE', `/users/${ada.id}`)).status, 200)
  })
})
