import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { assertDiscreet, assertRefused } from '../support/hostile.js'
import { newPerson, type Person } from '../support/people.js'

// None of these is a filter that the service knows
const refused = [
  'a=1',
  'a[b][c][d][e][f][g][h][i]=1',
  'a=1&'.repeat(2000),
  `a${'[b]'.repeat(2000)}=1`,
  '%',
  '%zz=1',
  '$or=x',
  '$or[]=x',
  '$or[0][$or][0][$or][0][email]=x',
  '$and=x',
  'email[$in]=x',
  'email[$in][x]=x',
  'email[$exists]=x',
  'email[$regex]=(((',
  'email[$options]=i',
  'email[$type]=2',
  'email=a&email=b',
  'email[]=a',
  'email[x]=a',
  'name[$where]=1',
  '_id=x',
  '_id=123',
  '_id[$gt]=x',
  '_id[$in][]=x',
  '_id[_bsontype]=ObjectId',
  '_id[$oid]=0123456789abcdef01234567',
  'createdAt=x',
  'createdAt[$gt]=275761-01-01',
  'createdAt[$gt][]=2020-01-01',
  'disabled=x',
  'disabled[$gt]=x',
  '$limit=-1',
  '$limit=x',
  '$limit=1.5',
  '$limit=1e308',
  '$limit=NaN',
  '$limit[]=1',
  '$limit[$gt]=1',
  '$skip=-1',
  '$skip=x',
  '$skip=99999999999999999999',
  '$skip[$gt]=1',
  '$sort=x',
  '$sort=email',
  '$sort[]=email',
  '$sort[email]=0',
  '$sort[email]=x',
  '$sort[email]=2',
  '$sort[$natural]=1',
  '$sort[email][$meta]=textScore',
  '$sort[email.x]=1',
  '$select=email',
  '$select[]=x',
  '$select[x]=email',
  '$select[][$slice]=1',
  '$populate=x',
  '$client=x',
  '$lookup[from]=users',
  '$collation[locale]=x',
  '$comment=x'
]

// Their keys or values mean nothing: a parser may drop them
const harmless = [
  '=1',
  '&&&',
  '__proto__[email]=x',
  '__proto__[roles][]=admin',
  'constructor[prototype][email]=x',
  '$or[__proto__][email]=x',
  'email[__proto__]=x',
  'toString=x',
  'hasOwnProperty=x',
  'email=%ff',
  'email=%00',
  'email=%zz',
  'name[$gt]=',
  '_id[toString]=x',
  '$limit=Infinity',
  '$skip=-Infinity',
  `email=${'a'.repeat(5000)}`,
  '$or[][email]=a&'.repeat(500)
]

describe('a query', () => {
  let t: TestApp
  let ada: Person
  let admin: Person

  before(async () => {
    t = await startApp()
    ada = await newPerson(t)
    admin = await newPerson(t, 'admin')
  })
  after(() => t.stop())

  for (const query of refused) {
    it(`is refused: ${query.slice(0, 60)}`, async () => {
      for (const person of [ada, admin]) {
        for (const path of ['/users', `/users/${admin.id}`, '/sessions', '/sessions/x', '/content/admin']) {
          assertRefused(await person.ask('GET', `${path}?${query}`), [400], path)
        }
      }
    })
  }

  for (const query of harmless) {
    it(`does no harm: ${query.slice(0, 60)}`, async () => {
      for (const path of ['/users', '/sessions', '/content', `/users/${admin.id}`]) {
        const { status, body } = await ada.ask('GET', `${path}?${query}`)

        assert.ok([200, 400, 404].includes(status), `${path} is answered by ${status}`)
        assertDiscreet(body, path)
        assert.doesNotMatch(JSON.stringify(body), new RegExp(admin.email))
      }

      assert.equal(({} as Record<string, unknown>).email, undefined)
    })
  }
})
