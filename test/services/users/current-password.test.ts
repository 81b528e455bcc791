import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { fieldsOf, newPerson, stored, type Person } from '../../support/people.js'
import { password } from '../../support/rest.js'

const newPassword = 'another horse battery'

describe('a new email or password for oneself', () => {
  let t: TestApp
  let admin: Person
  let ada: Person

  before(async () => {
    t = await startApp()
    admin = await newPerson(t, 'admin')
  })
  beforeEach(async () => {
    ada = await newPerson(t)
  })
  after(() => t.stop())

  const patch = (person: Person, id: string, body: unknown) => person.ask('PATCH', `/users/${id}`, { body })

  const changes = [{ email: 'changed@example.com' }, { password: newPassword }]

  for (const change of changes) {
    const [field] = Object.keys(change)

    it(`answers 400 without the current password: ${field}`, async () => {
      const before = await stored(t, ada.email)
      const answer = await patch(ada, ada.id, change)

      assert.equal(answer.status, 400)
      assert.deepEqual(fieldsOf(answer), ['currentPassword'])
      assert.deepEqual(await stored(t, ada.email), before)
    })

    it(`answers 403 with a wrong one: ${field}`, async () => {
      const before = await stored(t, ada.email)

      for (const currentPassword of ['wrong horse', '', password.toUpperCase()]) {
        assert.equal((await patch(ada, ada.id, { ...change, currentPassword })).status, 403)
      }

      assert.deepEqual(await stored(t, ada.email), before)
    })

    it(`asks an admin for their own one too: ${field}`, async () => {
      const before = await stored(t, admin.email)

      for (const id of [admin.id, admin.id.toUpperCase()]) {
        assert.equal((await patch(admin, id, change)).status, 400)
        assert.equal((await patch(admin, id, { ...change, currentPassword: 'wrong horse' })).status, 403)
      }

      assert.deepEqual(await stored(t, admin.email), before)
    })
  }

  it('accepts it in composed and decomposed form', async () => {
    await patch(ada, ada.id, { password: 'caf\u00e9 horse', currentPassword: password })

    const answer = await patch(ada, ada.id, {
      password: newPassword,
      currentPassword: 'cafe\u0301 horse'
    })

    assert.equal(answer.status, 200)
  })
})
