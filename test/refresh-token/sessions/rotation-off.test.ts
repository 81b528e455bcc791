import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { newPerson, stored } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, outcome, restClient, tally, type Answer, type RestClient } from '../../support/rest.js'
import { decoded } from '../../support/tokens.js'

const many = 20
const day = 24 * 60 * 60_000 // ms

const off = (more: object = {}) => ({
  settings: { authentication: { 'refresh-token': { rotation: false, ...more } } }
})

const tokensOf = (answers: Answer[]) => new Set(answers.map(({ body }) => body.refreshToken))
const sessionIdsOf = (answers: Answer[]) => new Set(answers.map(({ body }) => body.session.id))

describe('rotation: false', () => {
  let t: TestApp
  let client: RestClient

  before(async () => {
    t = await startApp(off())
    client = restClient(t.address)
  })

  after(() => t.stop())

  it('answers the same token, byte for byte, to each refresh, by many at once', async () => {
    const { email, refreshToken } = await newPerson(t)

    for (const pause of [0, 1, day, 10 * day]) {
      t.clock.advance(pause)

      const answers = await atOnce(many, () => client.refresh(refreshToken, { idempotencyKey: 'k' }))

      assert.deepEqual(tally(answers), { '201': many })
      assert.deepEqual(tokensOf(answers), new Set([refreshToken]))
    }

    assert.equal((await stored(t, email)).sessions.length, 1)
  })

  it('answers another access token each time, of that session', async () => {
    const login = await client.newLogin()
    const { body } = await client.refresh(login.refreshToken)

    assert.notEqual(body.accessToken, login.accessToken)
    assert.equal(decoded(body.accessToken).claims.sid, login.session.id)
    assert.equal((await client.ask('GET', '/sessions', { token: body.accessToken })).status, 200)
  })

  it('does not change the expiry, and records the time of the refresh', async () => {
    const { session, refreshToken } = await newPerson(t)

    t.clock.advance(day)

    const refreshed = (await client.refresh(refreshToken)).body.session

    assert.equal(refreshed.expiresAt, session.expiresAt)
    assert.equal(Date.parse(refreshed.refreshedAt), t.clock.now)
    assert.equal(decoded(refreshToken).claims.exp * 1000, Date.parse(session.expiresAt))

    t.clock.now = Date.parse(session.expiresAt) - 1000
    assert.equal(outcome(await client.refresh(refreshToken)), '201')
    t.clock.advance(1000)
    assert.equal(outcome(await client.refresh(refreshToken)), '401 expired')
  })

  it('limits an access token to the rest of the session', async () => {
    const { session, refreshToken } = await newPerson(t)

    t.clock.now = Date.parse(session.expiresAt) - 60_000

    const { body } = await client.refresh(refreshToken)

    assert.equal(decoded(body.accessToken).claims.exp * 1000, Date.parse(session.expiresAt))
  })
})

describe('rotation: false, reuse: device', () => {
  let t: TestApp
  let client: RestClient

  before(async () => {
    t = await startApp(off())
    client = restClient(t.address)
  })

  after(() => t.stop())

  it('answers one token to all logins of a device, the first ones at once too', () =>
    rounds(async () => {
      const { email } = await client.signUp()
      const answers = await atOnce(many, () => client.signIn(email, { device: { id: 'phone' } }))

      assert.deepEqual(tally(answers), { '201': many })
      assert.equal(tokensOf(answers).size, 1)
      assert.equal(sessionIdsOf(answers).size, 1)

      for (const { body } of answers) {
        assert.equal(decoded(body.accessToken).claims.sid, body.session.id)
        assert.deepEqual(body.authentication.payload, decoded(body.accessToken).claims)
      }
    }))

  it('answers an access token that works, and ends nothing', async () => {
    const device = { id: 'phone', name: 'Phone' }
    const { ask, email, refreshToken, session } = await newPerson(t, 'user', { device })
    const again = await client.signIn(email, { device: { id: 'phone', name: 'Old phone' } })

    assert.equal(again.body.refreshToken, refreshToken)
    assert.equal(again.body.session.id, session.id)
    assert.equal(again.body.session.device.name, 'Old phone')
    assert.equal((await ask('GET', '/sessions')).status, 200)
    assert.equal((await client.ask('GET', '/sessions', { token: again.body.accessToken })).status, 200)
  })

  it('opens a session for another device, and for each login that names none', async () => {
    const { email } = await newPerson(t, 'user', { device: { id: 'phone' } })
    const answers = [
      await client.signIn(email, { device: { id: 'laptop' } }),
      await client.signIn(email),
      await client.signIn(email, { device: { name: 'phone' } })
    ]

    assert.equal(tokensOf(answers).size, 3)
    assert.equal((await stored(t, email)).sessions.length, 4)
  })

  it('opens a new session once the old one has ended or expired', async () => {
    const device = { id: 'phone' }
    const { ask, email, refreshToken, session } = await newPerson(t, 'user', { device })

    t.clock.now = Date.parse(session.expiresAt)

    const second = (await client.signIn(email, { device })).body

    assert.notEqual(second.refreshToken, refreshToken)
    await ask('DELETE', '/sessions', { token: second.accessToken })

    const third = (await client.signIn(email, { device })).body

    assert.notEqual(third.refreshToken, second.refreshToken)
    assert.deepEqual(
      (await stored(t, email)).sessions.map(({ id }: { id: string }) => id),
      [third.session.id]
    )
  })

  it('signs in, in the last second of the session too', async () => {
    const device = { id: 'phone' }
    const { email, session } = await newPerson(t, 'user', { device })

    t.clock.now = Date.parse(session.expiresAt) - 500

    const { status, body } = await client.signIn(email, { device })

    assert.equal(status, 201)
    assert.equal((await client.ask('GET', '/sessions', { token: body.accessToken })).status, 200)
  })
})

describe('rotation: false, reuse: user', () => {
  it('answers one token and one session to all first logins at once, from any device', () =>
    withApp(off({ reuse: 'user' }), async (t) => {
      const client = restClient(t.address)

      await rounds(async () => {
        const { email } = await client.signUp()
        const answers = await atOnce(many, (index) =>
          client.signIn(email, index % 2 ? { device: { id: `device ${index}` } } : {})
        )

        assert.deepEqual(tally(answers), { '201': many })
        assert.equal(tokensOf(answers).size, 1)
        assert.equal(sessionIdsOf(answers).size, 1)

        assert.equal((await stored(t, email)).sessions.length, 1)
      })
    }))

  it('leaves the device of the session as its first login named it', () =>
    withApp(off({ reuse: 'user' }), async (t) => {
      const { email } = await newPerson(t, 'user', { device: { id: 'phone', name: 'Phone' } })
      const { body } = await restClient(t.address).signIn(email, { device: { id: 'laptop', name: 'Laptop' } })

      assert.deepEqual([body.session.device.id, body.session.device.name], ['phone', 'Phone'])
    }))
})

describe('rotation: false, reuse: never', () => {
  it('opens a session for each login, of one device too, and ends none', () =>
    withApp(off({ reuse: 'never' }), async (t) => {
      const client = restClient(t.address)
      const { email } = await client.signUp()
      const answers = await atOnce(5, () => client.signIn(email, { device: { id: 'phone' } }))

      assert.equal(tokensOf(answers).size, 5)
      assert.equal((await stored(t, email)).sessions.length, 5)

      for (const { body } of answers) {
        assert.equal((await client.refresh(body.refreshToken)).body.refreshToken, body.refreshToken)
      }
    }))
})
