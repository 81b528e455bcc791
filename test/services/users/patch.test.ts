import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { fieldsOf, newPerson, stored, type Person } from '../../support/people.js'
import { password, restClient, type RestClient } from '../../support/rest.js'

const newPassword = 'another horse battery'
const unknownId = '0123456789abcdef01234567'

describe('PATCH /users/:id', () => {
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

  const patch = (person: Person, id: string, body: unknown) => person.ask('PATCH', `/users/${id}`, { body })

  describe('by oneself', () => {
    it('changes the name', async () => {
      const { status, body } = await patch(ada, ada.id, { name: 'Ada' })

      assert.equal(status, 200)
      assert.deepEqual(Object.keys(body).sort(), ['_id', 'createdAt', 'disabled', 'email', 'name', 'roles'])
      assert.equal(body.name, 'Ada')
      assert.equal((await stored(t, ada.email)).name, 'Ada')
    })

    it('changes the email, and keeps it in lower case', async () => {
      const email = `New-${ada.email}`
      const { status, body } = await patch(ada, ada.id, { email, currentPassword: password })

      assert.equal(status, 200)
      assert.equal(body.email, email.toLowerCase())
      assert.equal((await client.signIn(email)).status, 201)
      assert.equal((await client.signIn(ada.email)).status, 401)
    })

    it('changes the password', async () => {
      const { status } = await patch(ada, ada.id, { password: newPassword, currentPassword: password })

      assert.equal(status, 200)
      assert.equal((await client.signIn(ada.email)).status, 401)
      assert.equal((await client.signIn(ada.email, { password: newPassword })).status, 201)
    })

    it('takes an id in upper case', async () => {
      assert.equal((await patch(ada, ada.id.toUpperCase(), { name: 'Ada' })).body.name, 'Ada')
    })

    it('stores no current password', async () => {
      await patch(ada, ada.id, { name: 'Ada', currentPassword: password })
      await patch(ada, ada.id, { password: newPassword, currentPassword: password })

      assert.equal('currentPassword' in (await stored(t, ada.email)), false)
    })
  })

  describe('by an admin', () => {
    it("changes anyone's name, email, password and roles, without a password", async () => {
      const email = `changed-${ada.email}`
      const change = { name: 'Ada', email, password: newPassword, roles: ['user', 'moderator'] }
      const { status, body } = await patch(admin, ada.id, change)

      assert.equal(status, 200)
      assert.deepEqual([body.name, body.email, body.roles], ['Ada', email, ['user', 'moderator']])
      assert.equal((await client.signIn(email, { password: newPassword })).status, 201)
    })

    it('gives and takes a role, at once', async () => {
      const board = () => ada.ask('GET', '/content/moderator')

      assert.equal((await board()).status, 403)
      await patch(admin, ada.id, { roles: ['moderator'] })
      assert.equal((await board()).status, 200)
      await patch(admin, ada.id, { roles: ['user'] })
      assert.equal((await board()).status, 403)
    })

    it('answers 404 for an unknown id', async () => {
      for (const change of [{ name: 'Ada' }, { password: newPassword }, { disabled: true }]) {
        assert.equal((await patch(admin, unknownId, change)).status, 404)
      }
    })
  })

  describe('by someone else', () => {
    it("answers 404 for another's id, as for an unknown one, and changes nothing", async () => {
      const before = await stored(t, admin.email)
      const changes = [
        { name: 'Mallory' },
        { email: 'mallory@example.com', currentPassword: password },
        { password: newPassword, currentPassword: password },
        { roles: ['user'] },
        { disabled: true },
        {}
      ]

      for (const change of changes) {
        const another = await patch(ada, admin.id, change)
        const unknown = await patch(ada, unknownId, change)

        assert.equal(another.status, 404)
        assert.deepEqual(
          JSON.parse(JSON.stringify(another.body).replaceAll(admin.id, unknownId)),
          unknown.body
        )
      }

      assert.deepEqual(await stored(t, admin.email), before)
    })

    it('answers 401 without a token', async () => {
      const { status } = await client.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Mallory' } })

      assert.equal(status, 401)
      assert.equal((await stored(t, ada.email)).name, undefined)
    })
  })

  it('answers 409 for a taken email, in any case', async () => {
    for (const email of [admin.email, admin.email.toUpperCase()]) {
      assert.equal((await patch(ada, ada.id, { email, currentPassword: password })).status, 409)
      assert.equal((await patch(admin, ada.id, { email })).status, 409)
    }

    const own = await patch(ada, ada.id, { email: ada.email.toUpperCase(), currentPassword: password })

    assert.equal(own.status, 200)
    assert.equal(own.body.email, ada.email)
  })

  it('changes nothing with an empty body', async () => {
    const before = await stored(t, ada.email)

    assert.equal((await patch(ada, ada.id, {})).status, 200)
    assert.deepEqual(await stored(t, ada.email), before)
  })

  const wrong: [object, string][] = [
    [{ name: '' }, 'name'],
    [{ name: 'a'.repeat(101) }, 'name'],
    [{ name: null }, 'name'],
    [{ name: { $gt: '' } }, 'name'],
    [{ email: 'ada', currentPassword: password }, 'email'],
    [{ email: { $ne: null }, currentPassword: password }, 'email'],
    [{ password: 'short', currentPassword: password }, 'password'],
    [{ password: 12345678, currentPassword: password }, 'password'],
    [{ password: newPassword, currentPassword: 1 }, 'currentPassword'],
    [{ password: newPassword, currentPassword: { $ne: null } }, 'currentPassword'],
    [{ roles: 'admin' }, 'roles'],
    [{ roles: ['root'] }, 'roles.0'],
    [{ roles: ['user', 'user'] }, 'roles'],
    [{ disabled: 'true' }, 'disabled'],
    [{ disabled: null }, 'disabled'],
    [{ color: 'red' }, 'color'],
    [{ _id: unknownId }, '_id'],
    [{ createdAt: '2020-01-01T00:00:00Z' }, 'createdAt'],
    [{ sessions: [] }, 'sessions'],
    [{ 'sessions.0.device.name': 'x' }, 'sessions.0.device.name'],
    [{ 'roles.0': 'admin' }, 'roles.0'],
    [{ $set: { roles: ['admin'] } }, '$set'],
    [{ $push: { roles: 'admin' } }, '$push'],
    [{ $unset: { sessions: '' } }, '$unset'],
    [{ $inc: { disabled: 1 } }, '$inc']
  ]

  for (const [body, field] of wrong) {
    it(`answers 400 and changes nothing: ${JSON.stringify(body).slice(0, 60)}`, async () => {
      const before = await stored(t, ada.email)

      for (const person of [ada, admin]) {
        const answer = await patch(person, ada.id, body)

        assert.equal(answer.status, 400)
        assert.deepEqual(fieldsOf(answer), [field])
      }

      assert.deepEqual(await stored(t, ada.email), before)
    })
  }
})
