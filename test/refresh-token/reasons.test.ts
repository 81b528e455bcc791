import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { newPerson, stored, type Person } from '../support/people.js'
import { outcome, restClient, type Answer, type RestClient } from '../support/rest.js'

let t: TestApp
let client: RestClient
let admin: Person

before(async () => {
  t = await startApp()
  client = restClient(t.address)
  admin = await newPerson(t, 'admin')
})

after(() => t.stop())

const presented = 'Bearer error="invalid_token"'

/** What RFC 6750 asks of a 401, and the contract. */
function assertRefused(answer: Answer, reason: string | undefined, challenge = presented): void {
  assert.equal(answer.status, 401)
  assert.equal(answer.body.name, 'NotAuthenticated')
  assert.deepEqual(answer.body.data, reason && { reason })
  assert.equal(answer.headers.get('WWW-Authenticate'), challenge)
  assert.equal(answer.headers.get('Cache-Control'), 'no-store')
}

/** Every way to present an access token. */
const presentations = (token: string): Promise<Answer>[] => [
  client.ask('GET', '/sessions', { token }),
  client.ask('GET', '/content/user', { token }),
  client.ask('GET', '/content', { token }),
  client.ask('DELETE', '/authentication', { token }),
  client.authenticate({ strategy: 'jwt', accessToken: token })
]

async function assertAccessRefused(token: string, reason: string): Promise<void> {
  for (const answer of presentations(token)) {
    assertRefused(await answer, reason)
  }
}

const assertRefreshRefused = async (token: string, reason: string) =>
  assertRefused(await client.refresh(token), reason)

const disable = async ({ id }: Person, disabled: boolean) => {
  const answer = await admin.ask('PATCH', `/users/${id}`, { body: { disabled } })

  assert.equal(answer.status, 200)
}

describe('a refused access token', () => {
  it('is `invalid` when it is none', () => assertAccessRefused('no.access.token', 'invalid'))

  it('is `expired` past its time', async () => {
    const { accessToken } = await newPerson(t)

    t.clock.advance(15 * 60_000)
    await assertAccessRefused(accessToken, 'expired')
    admin = await newPerson(t, 'admin')
  })

  it('is `revoked` once its session has ended', async () => {
    const { ask, accessToken } = await newPerson(t)

    await ask('DELETE', '/sessions')
    await assertAccessRefused(accessToken, 'revoked')
  })

  it('is `revoked` once its user is deleted', async () => {
    const { ask, id, accessToken } = await newPerson(t)

    assert.equal((await ask('DELETE', `/users/${id}`)).status, 200)
    await assertAccessRefused(accessToken, 'revoked')
  })

  it('is `disabled` while the account is, and `revoked` after', async () => {
    const person = await newPerson(t)

    await disable(person, true)
    await assertAccessRefused(person.accessToken, 'disabled')
    await disable(person, false)
    await assertAccessRefused(person.accessToken, 'revoked')
  })
})

describe('a refused refresh token', () => {
  it('is `invalid` when it is none', () => assertRefreshRefused('no.refresh.token', 'invalid'))

  it('is `expired` past its time', async () => {
    const { refreshToken } = await newPerson(t)
    const { now } = t.clock

    t.clock.advance(30 * 24 * 60 * 60_000)
    await assertRefreshRefused(refreshToken, 'expired')
    t.clock.now = now
  })

  it('is `revoked` once its session has ended', async () => {
    const { ask, refreshToken } = await newPerson(t)

    await ask('DELETE', '/authentication')
    await assertRefreshRefused(refreshToken, 'revoked')
  })

  it('is `revoked` once its user is deleted', async () => {
    const { ask, id, refreshToken } = await newPerson(t)
    const { body } = await client.refresh(refreshToken)

    await ask('DELETE', `/users/${id}`)
    await assertRefreshRefused(refreshToken, 'revoked')
    await assertRefreshRefused(body.refreshToken, 'revoked')
  })

  it('is `reused` when it ends the session, then `revoked`', async () => {
    const { refreshToken } = await newPerson(t)
    const { body } = await client.refresh(refreshToken)

    await client.refresh(body.refreshToken)
    await assertRefreshRefused(refreshToken, 'reused')
    await assertRefreshRefused(refreshToken, 'revoked')
    await assertRefreshRefused(body.refreshToken, 'revoked')
  })

  it('is `disabled` while the account is, used before or not, and `revoked` after', async () => {
    const person = await newPerson(t)
    const { body } = await client.refresh(person.refreshToken)
    const { refreshToken: newest } = (await client.refresh(body.refreshToken)).body

    await disable(person, true)

    for (const token of [person.refreshToken, body.refreshToken, newest]) {
      await assertRefreshRefused(token, 'disabled')
    }

    await disable(person, false)
    await assertRefreshRefused(person.refreshToken, 'revoked')
  })

  it('is `disabled`, and does nothing, where the account was disabled by another program', async () => {
    const { email, refreshToken, accessToken } = await newPerson(t)
    const { body } = await client.refresh(refreshToken)
    const { refreshToken: newest } = (await client.refresh(body.refreshToken)).body
    const users = t.db.collection('users')
    const { sessions } = await stored(t, email)

    await users.updateOne({ email }, { $set: { disabled: true } })
    t.clock.advance(1)
    await assertRefreshRefused(refreshToken, 'disabled')
    await assertRefreshRefused(newest, 'disabled')
    await assertAccessRefused(accessToken, 'disabled')
    assert.deepEqual((await stored(t, email)).sessions, sessions)

    await users.updateOne({ email }, { $set: { disabled: false } })
    assert.equal(outcome(await client.refresh(newest)), '201')
    await assertRefreshRefused(refreshToken, 'reused')
  })
})

describe('a refused login', () => {
  const unchallenged = 'Bearer'

  it('has one answer for a wrong email and a wrong password', async () => {
    const { email } = await newPerson(t)
    const wrongPassword = await client.signIn(email, { password: 'wrong horse battery' })
    const wrongEmail = await client.signIn(`not.${email}`)

    assertRefused(wrongPassword, undefined, unchallenged)
    assertRefused(wrongEmail, undefined, unchallenged)
    assert.deepEqual(wrongPassword.body, wrongEmail.body)
  })

  it('is `disabled` with the right password only', async () => {
    const person = await newPerson(t)

    await disable(person, true)
    assertRefused(await client.signIn(person.email), 'disabled', unchallenged)

    const wrong = await client.signIn(person.email, { password: 'wrong horse battery' })

    assertRefused(wrong, undefined, unchallenged)
    assert.deepEqual(wrong.body, (await client.signIn(`not.${person.email}`)).body)
  })

  it('has no reason without a strategy, or with an unknown one', async () => {
    for (const request of [{}, { strategy: 'magic' }, { strategy: '' }, { strategy: '__proto__' }]) {
      assertRefused(await client.authenticate(request), undefined, unchallenged)
    }
  })
})

describe('no token at all', () => {
  it('is refused without a reason, and without `error`', async () => {
    for (const headers of [{}, { Authorization: 'Basic dTpw' }, { Authorization: 'Bearer' }] as object[]) {
      const ask = (method: string, path: string) => client.ask(method, path, { headers: { ...headers } })

      assertRefused(await ask('GET', '/sessions'), undefined, 'Bearer')
      assertRefused(await ask('GET', '/content/user'), undefined, 'Bearer')
      assertRefused(await ask('DELETE', '/authentication'), undefined, 'Bearer')
    }
  })
})

describe('an answer with tokens', () => {
  it('is not to be stored', async () => {
    const { email, refreshToken, accessToken } = await newPerson(t)

    for (const answer of [
      await client.signIn(email),
      await client.refresh(refreshToken),
      await client.authenticate({ strategy: 'jwt', accessToken })
    ]) {
      assert.equal(answer.status, 201)
      assert.equal(answer.headers.get('Cache-Control'), 'no-store')
      assert.equal(answer.headers.get('WWW-Authenticate'), null)
    }
  })
})

describe('DELETE /authentication', () => {
  it('takes the access token itself as id, and is `invalid` with any other', async () => {
    const { ask, accessToken } = await newPerson(t)

    assertRefused(await ask('DELETE', '/authentication/another'), 'invalid')
    assertRefused(await client.ask('DELETE', '/authentication/another'), undefined, 'Bearer')
    assert.equal(outcome(await ask('GET', '/sessions')), '200')
    assert.equal((await ask('DELETE', `/authentication/${accessToken}`)).status, 200)
    assert.equal(outcome(await ask('GET', '/sessions')), '401 revoked')
  })
})
