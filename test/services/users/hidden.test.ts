import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, stored, type Person } from '../../support/people.js'
import { password } from '../../support/rest.js'

const queries = [
  'password=x',
  'password[$gt]=',
  'password[$ne]=x',
  'password[$exists]=true',
  'password[$regex]=^',
  'sessions=x',
  'sessions[]=x',
  'sessions[$ne]=x',
  'sessions[$size]=1',
  'sessions[$elemMatch][id][$gt]=',
  'sessions.id[$gt]=',
  'sessions.0.device.name=x',
  '$select[]=password',
  '$select[]=email&$select[]=sessions',
  '$select[]=sessions.id',
  '$select=password',
  '$select[password]=1',
  '$sort[password]=1',
  '$sort[sessions]=-1',
  '$sort[sessions.id]=1',
  '$or[0][password][$gt]=',
  '$or[][sessions.id][$gt]=',
  '$and[0][password][$gt]=',
  '$and[0][$or][0][password][$gt]=',
  '$or[0][$and][0][sessions.id][$gt]=',
  '$nor[0][password]=x',
  '$not[password]=x',
  'email[$not][password]=x',
  '$where=this.password',
  '$expr[$gt][]=$password&$expr[$gt][]=a',
  '$text[$search]=x',
  '$jsonSchema[required][]=password',
  '$populate=sessions',
  'color=red'
]

describe('password and sessions of users', () => {
  let t: TestApp
  let admin: Person
  let ada: Person

  before(async () => {
    t = await startApp()
    admin = await newPerson(t, 'admin')
    ada = await newPerson(t)
  })
  after(() => t.stop())

  for (const query of queries) {
    it(`are of no use in a query: ${query}`, async () => {
      const unchanged = await stored(t, ada.email)
      const id = `/users/${ada.id}`

      for (const person of [ada, admin]) {
        const answers = [
          await person.ask('GET', `/users?${query}`),
          await person.ask('GET', `${id}?${query}`),
          await person.ask('PATCH', `${id}?${query}`, { body: { name: 'Changed' } }),
          await person.ask('DELETE', `${id}?${query}`),
          await person.ask('POST', `/users?${query}`, { body: { email: 'new@example.com', password } })
        ]

        for (const { status, body } of answers) {
          assert.equal(status, 400)
          assert.equal(body.name, 'BadRequest')
          assert.ok(body.errors.length > 0)
        }
      }

      assert.deepEqual(await stored(t, ada.email), unchanged)
    })
  }

  it('are in no answer', async () => {
    const id = `/users/${ada.id}`
    const email = `new-${ada.email}`
    const answers = [
      await admin.ask('POST', '/users', { body: { email, password } }),
      await admin.ask('GET', '/users'),
      await ada.ask('GET', id),
      await ada.ask('PATCH', id, { body: { name: 'Ada' } }),
      await ada.ask('PATCH', id, { body: { password: 'another horse', currentPassword: password } }),
      await ada.ask('PATCH', `${id}?$select[]=name`, { body: { name: 'Lovelace' } }),
      await admin.ask('PATCH', id, { body: { disabled: true } }),
      await admin.ask('DELETE', id)
    ]

    for (const { status, body } of answers) {
      assert.ok(status < 300)
      assert.doesNotMatch(JSON.stringify(body), /password|sessions|argon2/)
    }
  })
})
