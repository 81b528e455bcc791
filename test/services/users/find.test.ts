import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, type Person } from '../../support/people.js'
import { restClient } from '../../support/rest.js'

const shown = ['_id', 'createdAt', 'disabled', 'email', 'roles']
const unknownId = '0123456789abcdef01234567'

describe('GET /users', () => {
  let t: TestApp
  let admin: Person
  let ada: Person
  let bob: Person

  before(async () => {
    t = await startApp()
    admin = await newPerson(t, 'admin')
    t.clock.advance(1000)
    ada = await newPerson(t, 'moderator')
    t.clock.advance(1000)
    bob = await newPerson(t)
    await admin.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })
  })
  after(() => t.stop())

  /** The emails in the page that a query answers. */
  async function found(person: Person, query: string): Promise<string[]> {
    const { status, body } = await person.ask('GET', `/users?${query}`)

    assert.equal(status, 200)
    return body.data.map(({ email }: { email: string }) => email)
  }

  describe('as oneself', () => {
    it('answers a page with the own row only', async () => {
      const { status, body } = await bob.ask('GET', '/users')
      const { data, ...page } = body

      assert.equal(status, 200)
      assert.deepEqual(page, { total: 1, limit: 10, skip: 0 })
      assert.equal(data[0]._id, bob.id)
      assert.deepEqual(Object.keys(data[0]).sort(), shown)
    })

    it('answers the own row by its id', async () => {
      const { status, body } = await bob.ask('GET', `/users/${bob.id}`)

      assert.equal(status, 200)
      assert.equal(body.email, bob.email)
      assert.deepEqual(Object.keys(body).sort(), shown)
    })

    it('takes an id in upper case', async () => {
      assert.equal((await bob.ask('GET', `/users/${bob.id.toUpperCase()}`)).body.email, bob.email)
    })

    it("answers 404 for another's id, as for an unknown one", async () => {
      const another = await bob.ask('GET', `/users/${ada.id}`)
      const unknown = await bob.ask('GET', `/users/${unknownId}`)

      assert.equal(another.status, 404)
      assert.deepEqual(JSON.parse(JSON.stringify(another.body).replaceAll(ada.id, unknownId)), unknown.body)
    })

    it('finds nobody else with any query; not as a moderator either', async () => {
      const queries = (person: Person) => [
        `email=${person.email}`,
        `email[$ne]=${ada.email}`,
        `_id=${person.id}`,
        `_id[$in][]=${person.id}`,
        `$or[0][email]=${person.email}`,
        `$or[0][_id]=${person.id}`,
        `$and[0][_id]=${person.id}`,
        'roles=admin',
        '$sort[email]=1&$limit=50'
      ]

      for (const query of queries(admin)) {
        assert.deepEqual(
          (await found(bob, query)).filter((email) => email !== bob.email),
          [],
          query
        )
        assert.deepEqual(
          (await found(ada, query)).filter((email) => email !== ada.email),
          [],
          query
        )
      }
    })
  })

  describe('as an admin', () => {
    it('answers all users', async () => {
      const { body } = await admin.ask('GET', '/users')

      assert.equal(body.total, 3)
      assert.deepEqual(
        body.data.map(({ _id }: { _id: string }) => _id).sort(),
        [admin.id, ada.id, bob.id].sort()
      )
    })

    it("answers anyone's row by its id, in whatever case", async () => {
      for (const id of [ada.id, ada.id.toUpperCase()]) {
        const { status, body } = await admin.ask('GET', `/users/${id}`)

        assert.equal(status, 200)
        assert.deepEqual(Object.keys(body).sort(), [...shown, 'name'].sort())
      }
    })

    it('answers 404 for an unknown id', async () => {
      assert.equal((await admin.ask('GET', `/users/${unknownId}`)).status, 404)
    })

    it('filters', async () => {
      const filters: [string, Person[]][] = [
        [`email=${bob.email}`, [bob]],
        [`email=${bob.email.toUpperCase()}`, [bob]],
        [`email[$in][]=${bob.email}&email[$in][]=${ada.email}`, [ada, bob]],
        [`email[$ne]=${bob.email}`, [admin, ada]],
        [`_id=${ada.id}`, [ada]],
        [`_id[$nin][]=${ada.id}`, [admin, bob]],
        ['name=Ada', [ada]],
        ['roles=user', [bob]],
        ['roles[$ne]=user', [admin, ada]],
        ['disabled=false', [admin, ada, bob]],
        ['disabled=true', []],
        [`$or[0][email]=${bob.email}&$or[1][roles]=admin`, [admin, bob]],
        [`$and[0][disabled]=false&$and[1][email]=${ada.email}`, [ada]],
        [`createdAt[$gt]=${new Date(t.clock.now - 500).toISOString()}`, [bob]],
        [`createdAt[$lt]=${new Date(t.clock.now - 1500).toISOString()}`, [admin]],
        ['email=nobody@example.com', []]
      ]

      for (const [query, people] of filters) {
        assert.deepEqual((await found(admin, query)).sort(), people.map(({ email }) => email).sort(), query)
      }
    })

    it('counts what it finds: names and emails of any case', async () => {
      for (const query of [
        'name=ADA',
        'name[$gte]=aD&name[$lt]=aE',
        `email[$gte]=${ada.email.toUpperCase()}`
      ]) {
        const { body } = await admin.ask('GET', `/users?${query}`)

        assert.ok(body.total > 0, query)
        assert.equal(body.total, body.data.length, query)
      }
    })

    it('sorts', async () => {
      const byAge = [admin.email, ada.email, bob.email]

      assert.deepEqual(await found(admin, '$sort[createdAt]=1'), byAge)
      assert.deepEqual(await found(admin, '$sort[createdAt]=-1'), byAge.toReversed())
      assert.deepEqual(await found(admin, '$sort[email]=1'), byAge.toSorted())
    })

    it('pages', async () => {
      const first = (await admin.ask('GET', '/users?$sort[createdAt]=1&$limit=2')).body
      const second = (await admin.ask('GET', '/users?$sort[createdAt]=1&$limit=2&$skip=2')).body
      const none = (await admin.ask('GET', '/users?$limit=0')).body

      assert.deepEqual([first.total, first.limit, first.skip, first.data.length], [3, 2, 0, 2])
      assert.deepEqual([second.total, second.limit, second.skip], [3, 2, 2])
      assert.equal(second.data[0].email, bob.email)
      assert.deepEqual([none.total, none.data], [3, []])
    })

    it('answers no more rows than the settings allow', async () => {
      assert.equal((await admin.ask('GET', '/users?$limit=1000')).body.limit, 50)
    })

    it('answers the selected fields', async () => {
      const list = await admin.ask('GET', `/users?$select[]=email&$select[]=roles&email=${bob.email}`)
      const one = await admin.ask('GET', `/users/${bob.id}?$select[]=email`)

      assert.deepEqual(list.body.data, [{ _id: bob.id, email: bob.email, roles: ['user'] }])
      assert.deepEqual(one.body, { _id: bob.id, email: bob.email })
    })
  })

  it('answers 401 without a token', async () => {
    for (const path of ['/users', `/users/${bob.id}`]) {
      const { status, headers, body } = await restClient(t.address).ask('GET', path)

      assert.equal(status, 401)
      assert.equal(headers.get('www-authenticate'), 'Bearer')
      assert.equal(body.data, undefined)
    }
  })
})
