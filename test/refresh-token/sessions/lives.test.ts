import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { newPerson, stored } from '../../support/people.js'
import { outcome, restClient, type Answer, type RestClient } from '../../support/rest.js'
import { decoded } from '../../support/tokens.js'

const minute = 60_000 // ms
const settings = {
  authentication: {
    jwtOptions: { expiresIn: '5m' },
    'refresh-token': { expiresIn: '10m', maxLifetime: '25m' }
  }
}

let t: TestApp
let client: RestClient

before(async () => {
  t = await startApp({ settings })
  client = restClient(t.address)
})

after(() => t.stop())

/** Moves the clock to the start of a second, which tokens count in. */
function toWholeSecond(): number {
  t.clock.advance(1000 - (t.clock.now % 1000))
  return t.clock.now
}

async function refreshed(refreshToken: string) {
  const answer = await client.refresh(refreshToken)

  assert.equal(outcome(answer), '201')
  return answer.body
}

/** When the session ends, in minutes after a time: as the answer, the token and the database say alike. */
async function expiryOf(
  { session, refreshToken, user }: Answer['body'],
  start: number,
  { db } = t
): Promise<number> {
  const [record] = (await db.collection('users').findOne({ email: user.email }))!.sessions
  const expiry = Date.parse(session.expiresAt)

  assert.equal(decoded(refreshToken).claims.exp * 1000, expiry)
  assert.equal(record.expiresAt.getTime(), expiry)
  return (expiry - start) / minute
}

describe('the idle life of a session', () => {
  it('starts again at each refresh', async () => {
    const start = toWholeSecond()
    const login = await client.newLogin()

    assert.equal(await expiryOf(login, start), 10)
    t.clock.advance(9 * minute)

    const next = await refreshed(login.refreshToken)

    assert.equal(await expiryOf(next, start), 19)
    t.clock.advance(10 * minute - 1)
    await refreshed(next.refreshToken)
  })

  it('ends it when it is over: the token is `expired`, and the session is not listed', async () => {
    toWholeSecond()
    const { refreshToken, user } = await client.newLogin()

    t.clock.advance(10 * minute)
    assert.equal(outcome(await client.refresh(refreshToken)), '401 expired')

    const later = await client.signIn(user.email)
    const { body } = await client.ask('GET', '/sessions', { token: later.body.accessToken })

    assert.deepEqual(
      body.map(({ id }: { id: string }) => id),
      [later.body.session.id]
    )
  })
})

describe('the absolute life of a session', () => {
  it('is never exceeded, with any number of refreshes', async () => {
    const start = toWholeSecond()
    let login = await client.newLogin()

    for (const [at, expiry] of [
      [9, 19],
      [15, 25],
      [18, 25],
      [24.9, 25]
    ] as const) {
      t.clock.now = start + Math.round(at * minute)
      login = await refreshed(login.refreshToken)
      assert.equal(await expiryOf(login, start), expiry)
    }

    t.clock.now = start + 25 * minute
    assert.equal(outcome(await client.refresh(login.refreshToken)), '401 expired')
  })

  it('limits the idle life if it is shorter', () =>
    withApp({ settings: { authentication: { 'refresh-token': { maxLifetime: '3m' } } } }, async (short) => {
      short.clock.now -= short.clock.now % 1000

      const login = await restClient(short.address).newLogin()

      assert.equal(await expiryOf(login, short.clock.now, short), 3)
    }))

  it('ends a session that is older than a new setting allows', async () => {
    const { refreshToken } = await client.newLogin()
    const shorter = { authentication: { 'refresh-token': { maxLifetime: '5m' } } }

    t.clock.advance(6 * minute)
    await withApp({ settings: shorter, database: t.db.databaseName }, async (later) => {
      later.clock.now = t.clock.now
      assert.equal(outcome(await restClient(later.address).refresh(refreshToken)), '401 expired')
    })
  })
})

describe('an access token', () => {
  it('lives as long as configured', async () => {
    const { accessToken } = await client.newLogin()
    const { iat, exp } = decoded(accessToken).claims

    assert.equal(exp - iat, 5 * 60)
  })

  it('never outlives its session, and is alive when it is answered', async () => {
    const start = toWholeSecond()
    let login = await client.newLogin()

    // the last of them half a second before the end
    for (const at of [9.0001, 15.01, 21.003, 24.2503, 24.9504, 25 - 0.5 / 60]) {
      t.clock.now = start + Math.round(at * minute)
      login = await refreshed(login.refreshToken)

      const { exp } = decoded(login.accessToken).claims

      assert.ok(exp * 1000 <= Date.parse(login.session.expiresAt), `${at} min: it outlives the session`)
      assert.equal(
        (await client.ask('GET', '/sessions', { token: login.accessToken })).status,
        200,
        `${at} min: it is dead`
      )
    }

    t.clock.now = start + 25 * minute
    assert.equal(outcome(await client.ask('GET', '/sessions', { token: login.accessToken })), '401 expired')
  })
})

describe('a used refresh token that has expired', () => {
  it('is `expired` and ends nothing', async () => {
    toWholeSecond()
    const { email, refreshToken } = await newPerson(t)

    t.clock.advance(5 * minute)
    const next = await refreshed(refreshToken)

    t.clock.advance(5 * minute)
    assert.equal(outcome(await client.refresh(refreshToken)), '401 expired')
    assert.equal((await stored(t, email)).sessions.length, 1)
    await refreshed(next.refreshToken)
  })

  it('is `reused` a second before its expiry', async () => {
    toWholeSecond()
    const { email, refreshToken } = await newPerson(t)

    t.clock.advance(5 * minute)
    await refreshed(refreshToken)
    t.clock.advance(5 * minute - 1000)
    assert.equal(outcome(await client.refresh(refreshToken)), '401 reused')
    assert.deepEqual((await stored(t, email)).sessions, [])
  })
})
