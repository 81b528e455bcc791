import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, stored, type Person } from '../../support/people.js'
import { password } from '../../support/rest.js'

describe('paths of users without a handler', () => {
  let t: TestApp
  let admin: Person
  let ada: Person

  before(async () => {
    t = await startApp()
    admin = await newPerson(t, 'admin')
    ada = await newPerson(t)
  })
  after(() => t.stop())

  const calls: [string, string, object | undefined, number][] = [
    ['PATCH', '/users', { name: 'All' }, 405],
    ['PATCH', '/users/', { name: 'All' }, 405],
    ['PATCH', '/users?email[$ne]=x', { name: 'All' }, 405],
    ['DELETE', '/users', undefined, 405],
    ['DELETE', '/users/', undefined, 405],
    ['DELETE', '/users?email[$ne]=x', undefined, 405],
    ['PUT', '/users', { name: 'All' }, 405],
    ['PUT', '/users/ID', { name: 'All' }, 405],
    ['GET', '/users/ID/sessions', undefined, 404],
    ['DELETE', '/users/ID/sessions', undefined, 404]
  ]

  for (const [method, path, body, status] of calls) {
    it(`${method} ${path} answers ${status}`, async () => {
      for (const person of [ada, admin]) {
        const answer = await person.ask(method, path.replace('ID', ada.id), { body })

        assert.equal(answer.status, status)
      }

      assert.equal(await t.db.collection('users').countDocuments({ name: { $exists: false } }), 2)
    })
  }

  it('POST /users/:id never touches the user of that id', async () => {
    const before = await stored(t, ada.email)

    for (const body of [
      { name: 'All' },
      { email: `x-${ada.email}`, password },
      { email: ada.email, password }
    ]) {
      const { status } = await ada.ask('POST', `/users/${ada.id}`, { body })

      assert.ok(status < 500)
    }

    assert.deepEqual(await stored(t, ada.email), before)
  })
})
