import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, stored, type Person } from '../../support/people.js'
import { password } from '../../support/rest.js'

const shapes: object[] = [
  { roles: ['admin'] },
  { roles: ['user'] },
  { roles: [] },
  { roles: { $each: ['admin'] } },
  { roles: null },
  { 'roles[]': 'admin' },
  { 'roles.0': 'admin' },
  { 'roles.$[]': 'admin' },
  { disabled: false },
  { disabled: true },
  { disabled: null },
  { _id: '0123456789abcdef01234567' },
  { id: '0123456789abcdef01234567' },
  { sessions: [] },
  { sessions: null },
  { 'sessions.0.renewable': false },
  { 'sessions.0.expiresAt': '2099-01-01T00:00:00Z' },
  { createdAt: '2020-01-01T00:00:00Z' },
  { $set: { roles: ['admin'] } },
  { $push: { roles: 'admin' } },
  { $addToSet: { roles: 'admin' } },
  { $unset: { disabled: '' } },
  { $rename: { name: 'roles' } },
  { $setOnInsert: { roles: ['admin'] } },
  { '': 'admin' },
  { constructor: { prototype: { roles: ['admin'] } } },
  { prototype: { roles: ['admin'] } },
  { toString: 'admin' },
  { user: { roles: ['admin'] } },
  { data: { roles: ['admin'] } },
  { provider: null },
  { query: { _id: 1 } },
  { unchanged: {} }
]

// What an object literal can't hold as its own key
const raw = ['{"__proto__": {"roles": ["admin"]}}', '{"roles": ["user"], "roles": ["admin"]}']

describe('no request of a non-admin changes roles, _id, disabled or sessions', () => {
  let t: TestApp
  let ada: Person
  let moderator: Person

  before(async () => {
    t = await startApp()
    ada = await newPerson(t)
    moderator = await newPerson(t, 'moderator')
  })
  after(() => t.stop())

  for (const shape of [...shapes.map((body) => JSON.stringify(body)), ...raw]) {
    it(shape, async () => {
      const fields = shape.slice(1, -1)

      for (const person of [ada, moderator]) {
        const before = await stored(t, person.email)
        const path = `/users/${person.id}`

        for (const more of ['', '"name": "Changed", ', `"currentPassword": "${password}", `]) {
          const { status } = await person.ask('PATCH', path, { body: `{${more}${fields}}` })

          assert.ok(status >= 400 && status < 500, `${status}`)
        }

        for (const path of ['/users', '/users/x', `/users?id=${person.id}`]) {
          const { status } = await person.ask('POST', path, {
            body: `{"email": "created@example.com", "password": "${password}", ${fields}}`
          })

          assert.ok(status >= 400 && status < 500, `${status}`)
        }

        assert.deepEqual(await stored(t, person.email), before)
        assert.equal(await t.db.collection('users').countDocuments(), 2)
      }
    })
  }

  it('not by a query or a header either', async () => {
    const before = await stored(t, ada.email)
    const queries = ['roles[]=admin', '$set[roles][]=admin', 'disabled=true', 'upsert=true', 'provider=']

    for (const query of queries) {
      await ada.ask('PATCH', `/users/${ada.id}?${query}`, { body: { name: 'Ada' } })
      await ada.ask('PATCH', `/users?${query}`, { body: { name: 'Ada' } })
    }

    const headers = { 'X-Service-Method': 'update', provider: '', 'X-HTTP-Method-Override': 'PUT' }

    await ada.ask('POST', `/users/${ada.id}`, { body: { roles: ['admin'] }, headers })
    await ada.ask('PUT', `/users/${ada.id}`, { body: { roles: ['admin'] } })

    const { name: _name, ...rest } = await stored(t, ada.email)

    assert.deepEqual(rest, before)
  })
})
