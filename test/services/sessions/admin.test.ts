import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, type Person } from '../../support/people.js'
import { restClient, type RestClient } from '../../support/rest.js'

describe('/sessions?userId', () => {
  let t: TestApp
  let client: RestClient
  let admin: Person
  let bob: Person
  let ada: Person

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
    admin = await newPerson(t, 'admin')
    bob = await newPerson(t, 'moderator')
  })
  beforeEach(async () => {
    ada = await newPerson(t)
  })
  after(() => t.stop())

  /** Each call on a session of Ada's, by someone. */
  const calls = (person: Person, userId: string, id = ada.session.id) => [
    () => person.ask('GET', `/sessions?userId=${userId}`),
    () => person.ask('GET', `/sessions/${id}?userId=${userId}`),
    () => person.ask('PATCH', `/sessions/${id}?userId=${userId}`, { body: { device: { name: 'Renamed' } } }),
    () => person.ask('DELETE', `/sessions/${id}?userId=${userId}`),
    () => person.ask('DELETE', `/sessions?userId=${userId}`)
  ]

  it("shows an admin another's sessions, none of them current", async () => {
    for (const userId of [ada.id, ada.id.toUpperCase()]) {
      const list = await admin.ask('GET', `/sessions?userId=${userId}`)
      const one = await admin.ask('GET', `/sessions/${ada.session.id}?userId=${userId}`)

      assert.deepEqual(list.body, [{ ...ada.session, current: false }])
      assert.deepEqual(one.body, { ...ada.session, current: false })
    }
  })

  it('lets an admin rename one', async () => {
    const { status, body } = await admin.ask('PATCH', `/sessions/${ada.session.id}?userId=${ada.id}`, {
      body: { device: { name: 'Suspicious' } }
    })

    assert.equal(status, 200)
    assert.deepEqual([body.device.name, body.current], ['Suspicious', false])
  })

  it('lets an admin end one', async () => {
    const phone = await ada.signIn()
    const { status, body } = await admin.ask('DELETE', `/sessions/${phone.session.id}?userId=${ada.id}`)

    assert.equal(status, 200)
    assert.equal(body.id, phone.session.id)
    assert.equal((await client.refresh(phone.refreshToken)).body.data.reason, 'revoked')
    assert.equal((await ada.ask('GET', '/sessions')).status, 200)
  })

  it('lets an admin end all, whether or not all but the current one are asked for', async () => {
    for (const query of [`userId=${ada.id}`, `userId=${ada.id.toUpperCase()}&current=false`]) {
      const phone = await ada.signIn()
      const { status, body } = await admin.ask('DELETE', `/sessions?${query}`)

      assert.equal(status, 200)
      assert.ok(body.some(({ id }: { id: string }) => id === phone.session.id))
      assert.equal((await ada.ask('GET', '/sessions')).body.data.reason, 'revoked')
      assert.deepEqual((await admin.ask('GET', `/sessions?userId=${ada.id}`)).body, [])
    }

    assert.equal((await admin.ask('GET', '/sessions')).status, 200)
  })

  it('answers an admin 404 for a session of another user than the one that is named', async () => {
    for (const call of calls(admin, bob.id).slice(1, 4)) {
      assert.equal((await call()).status, 404)
    }
    for (const call of calls(admin, admin.id).slice(1, 4)) {
      assert.equal((await call()).status, 404)
    }
  })

  it('finds no session of a user that does not exist', async () => {
    for (const userId of ['0123456789abcdef01234567', 'nobody', '__proto__', 'a'.repeat(5000)]) {
      const [list, one, rename, end, endAll] = calls(admin, userId)

      assert.deepEqual((await list!()).body, [])
      assert.deepEqual((await endAll!()).body, [])

      for (const call of [one, rename, end]) {
        assert.equal((await call!()).status, 404)
      }
    }
  })

  it('answers 403 to everyone else, and does nothing', async () => {
    for (const person of [bob, await newPerson(t)]) {
      for (const userId of [ada.id, ada.id.toUpperCase(), '0123456789abcdef01234567', 'nobody']) {
        for (const call of calls(person, userId)) {
          assert.equal((await call()).status, 403)
        }
      }
    }

    assert.deepEqual((await ada.ask('GET', '/sessions')).body, [ada.session])
  })

  it('is allowed to everyone with their own id', async () => {
    for (const userId of [ada.id, ada.id.toUpperCase()]) {
      const [list, one, rename] = calls(ada, userId)

      assert.equal((await list!()).body[0].current, true)
      assert.equal((await one!()).body.current, true)
      assert.equal((await rename!()).body.device.name, 'Renamed')
    }

    const [, , , , endAll] = calls(ada, ada.id.toUpperCase())

    assert.equal((await endAll!()).body.length, 1)
    assert.equal((await ada.ask('GET', '/sessions')).body.data.reason, 'revoked')
  })

  it('keeps the current session of an admin who names their own id', async () => {
    const other = await newPerson(t, 'admin')

    await other.signIn()
    const { body } = await other.ask('DELETE', `/sessions?userId=${other.id.toUpperCase()}&current=false`)

    assert.equal(body.length, 1)
    assert.equal((await other.ask('GET', '/sessions')).body.length, 1)
  })

  it('answers 400 if it is not a string', async () => {
    for (const query of ['userId[$ne]=x', 'userId[]=x', 'userId=']) {
      assert.equal((await admin.ask('GET', `/sessions?${query}`)).status, 400)
      assert.equal((await admin.ask('DELETE', `/sessions?${query}`)).status, 400)
    }
  })
})
