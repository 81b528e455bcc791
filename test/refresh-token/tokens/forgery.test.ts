import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import {
  forgeries,
  genuine,
  inFuture,
  ofSize,
  refreshTokenForgeries,
  withClaims,
  withClaimsText,
  type Forgery
} from '../../support/forgeries.js'
import { fieldsOf, newPerson, stored, type Person } from '../../support/people.js'
import { outcome, restClient, type RestClient } from '../../support/rest.js'

let t: TestApp
let client: RestClient
let person: Person

before(async () => {
  t = await startApp()
  client = restClient(t.address)
  person = await newPerson(t)
})

after(() => t.stop())

// Signed with the right key: what these say counts, and may be nobody's
const signed: [string, Forgery, string][] = [
  ['iat 59 s ahead', inFuture('iat', 59), 'accepted'],
  ['nbf 59 s ahead', inFuture('nbf', 59), 'accepted'],
  ['nbf past', inFuture('nbf', -1), 'accepted'],
  [
    'exp with a fraction',
    ({ claims, ...rest }) => withClaims({ exp: Number(claims.exp) + 0.5 })({ claims, ...rest }),
    'accepted'
  ],
  ['a claim of its own', withClaims({ role: 'x' }), 'accepted'],
  ['hardly 8 KiB', ofSize(8 * 1024 - 2), 'accepted'],
  ['exp now', inFuture('exp', 0), '401 expired'],
  ['exp past', inFuture('exp', -1), '401 expired'],
  ['exp negative', withClaims({ exp: -1 }), '401 expired'],
  ['exp with a fraction, past', withClaims({ exp: 0.5 }), '401 expired'],
  ['an unknown user', withClaims({ sub: '0123456789abcdef01234567' }), '401 revoked'],
  ['a user that can not be', withClaims({ sub: 'nobody' }), '401 revoked'],
  ['a user like an operator', withClaims({ sub: '{"$ne":null}' }), '401 revoked'],
  ['an unknown session', withClaims({ sid: '01a1fee0-b0d2-7732-aa3b-1b9d04b3eb5f' }), '401 revoked'],
  ['a session that can not be', withClaims({ sid: 'x' }), '401 revoked'],
  ['a session like a field', withClaims({ sid: '$sessions.id' }), '401 revoked'],
  [
    'an unknown session with a long id',
    withClaimsText((json) => json.replace(/"sid":"/, '$&'.padEnd(4000, 'x'))),
    '401 revoked'
  ]
]

describe('a forged access token', () => {
  const present = (accessToken: unknown) => client.authenticate({ strategy: 'jwt', accessToken })

  // What can stand in a header
  const isPlain = (token: string) => /^[\x21-\x7e]{1,10000}$/.test(token)

  for (const [name, forge] of forgeries) {
    it(`is invalid: ${name}`, async () => {
      const token = forge(genuine(t, 'access', person))

      assert.equal(outcome(await present(token)), '401 invalid')

      if (isPlain(token)) {
        assert.equal(outcome(await client.ask('GET', '/sessions', { token })), '401 invalid')
        assert.equal(outcome(await client.ask('GET', '/content', { token })), '401 invalid')
      }
    })
  }

  for (const [name, forge, expected] of signed) {
    it(`is ${expected}: ${name}`, async () => {
      const token = forge(genuine(t, 'access', person))

      assert.equal(outcome(await present(token)), expected === 'accepted' ? '201' : expected)
      assert.equal(
        outcome(await client.ask('GET', '/sessions', { token })),
        expected === 'accepted' ? '200' : expected
      )
    })
  }

  it("does not reach another's session", async () => {
    const other = await newPerson(t)
    const token = genuine(t, 'access', person)

    assert.equal(outcome(await present(withClaims({ sub: other.id })(token))), '401 revoked')
    assert.equal(outcome(await present(withClaims({ sid: other.session.id })(token))), '401 revoked')
  })

  it('is a 400 when it is not a string', async () => {
    for (const accessToken of [undefined, null, 7, true, [person.accessToken], { $ne: 'x' }]) {
      const answer = await present(accessToken)

      assert.equal(outcome(answer), '400')
      assert.deepEqual(fieldsOf(answer), ['accessToken'])
    }
  })

  it('does not affect the genuine one', async () => {
    assert.equal(outcome(await present(person.accessToken)), '201')
  })
})

describe('a forged refresh token', () => {
  for (const [name, forge] of [...forgeries, ...refreshTokenForgeries]) {
    it(`is invalid: ${name}`, async () => {
      assert.equal(outcome(await client.refresh(forge(genuine(t, 'refresh', person)))), '401 invalid')
    })
  }

  for (const [name, forge, expected] of signed) {
    it(`is ${expected}: ${name}`, async () => {
      // what is accepted uses the token
      const owner = expected === 'accepted' ? await newPerson(t) : person
      const answer = await client.refresh(forge(genuine(t, 'refresh', owner)))

      assert.equal(outcome(answer), expected === 'accepted' ? '201' : expected)
    })
  }

  it("does not reach another's session", async () => {
    const other = await newPerson(t)
    const token = genuine(t, 'refresh', person)

    for (const claims of [{ sub: other.id }, { sid: other.session.id }]) {
      assert.equal(outcome(await client.refresh(withClaims(claims)(token))), '401 revoked')
    }

    assert.equal((await stored(t, other.email)).sessions.length, 1)
  })

  it('is a 400 when it is not a string', async () => {
    for (const refreshToken of [undefined, null, 7, true, [person.refreshToken], { $ne: 'x' }]) {
      const answer = await client.authenticate({ strategy: 'refresh-token', refreshToken })

      assert.equal(outcome(answer), '400')
      assert.deepEqual(fieldsOf(answer), ['refreshToken'])
    }
  })

  it('leaves the genuine one unused', async () => {
    const [session] = (await stored(t, person.email)).sessions

    assert.equal(session.refreshedAt.toISOString(), person.session.refreshedAt)
    assert.equal(outcome(await client.refresh(person.refreshToken)), '201')
  })
})
