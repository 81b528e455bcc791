import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, stored } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, outcome, restClient, tally, type RestClient } from '../../support/rest.js'
import { decoded } from '../../support/tokens.js'

const many = 20
const afterLeeway = 30_000 // ms
const day = 24 * 60 * 60_000 // ms

const rotation = (on: boolean) => ({ authentication: { 'refresh-token': { rotation: on } } })

// One database, and the service before and after the setting was changed
let rotating: TestApp
let keeping: TestApp
let withRotation: RestClient
let without: RestClient

before(async () => {
  rotating = await startApp({ settings: rotation(true) })
  keeping = await startApp({ settings: rotation(false), database: rotating.db.databaseName })
  withRotation = restClient(rotating.address)
  without = restClient(keeping.address)
})

after(async () => {
  await keeping.stop()
  await rotating.stop()
})

function advance(ms: number): void {
  rotating.clock.advance(ms)
  keeping.clock.now = rotating.clock.now
}

async function refreshed(client: RestClient, refreshToken: string, more: object = {}) {
  const answer = await client.refresh(refreshToken, more)

  assert.equal(outcome(answer), '201')
  return answer.body
}

const sessionsOf = async (email: string) => (await stored(rotating, email)).sessions

describe('when rotation is turned off', () => {
  it('the current token becomes the permanent one, even if many use it at once', () =>
    rounds(async () => {
      const { refreshToken: first } = await newPerson(rotating)
      const { refreshToken, session } = await refreshed(withRotation, first)

      advance(day)

      const answers = await atOnce(many, () => without.refresh(refreshToken))

      assert.deepEqual(tally(answers), { '201': many })

      for (const { body } of answers) {
        assert.equal(body.refreshToken, refreshToken)
        assert.equal(body.session.expiresAt, session.expiresAt)
      }

      advance(day)
      assert.equal((await refreshed(without, refreshToken)).refreshToken, refreshToken)
    }))

  it('the first token of a session can become the permanent one', async () => {
    const { refreshToken } = await newPerson(rotating)

    advance(day)
    assert.equal((await refreshed(without, refreshToken)).refreshToken, refreshToken)
    assert.equal((await refreshed(without, refreshToken)).refreshToken, refreshToken)
  })

  it('a used token ends the session, before the switch and after', async () => {
    for (const switched of [false, true]) {
      const { email, refreshToken: spent } = await newPerson(rotating)
      const { refreshToken } = await refreshed(withRotation, spent)

      advance(afterLeeway)
      await (switched && refreshed(without, refreshToken))

      const answers = await atOnce(many, () => without.refresh(spent))

      assert.deepEqual(tally(answers), { '401 reused': 1, '401 revoked': many - 1 })
      assert.deepEqual(await sessionsOf(email), [])
      assert.equal(outcome(await without.refresh(refreshToken)), '401 revoked')
    }
  })

  it('a lost response is repeated, within the leeway or under its key', async () => {
    for (const [pause, idempotencyKey] of [
      [afterLeeway - 1, undefined],
      [day, 'a key']
    ] as const) {
      const { refreshToken } = await newPerson(rotating)

      await refreshed(withRotation, refreshToken, { idempotencyKey })
      advance(pause)

      // The token of the lost answer is in nobody's hands, so this one stays
      const repeated = await refreshed(without, refreshToken, { idempotencyKey })

      assert.equal(repeated.refreshToken, refreshToken)
      advance(day)
      assert.equal((await refreshed(without, refreshToken)).refreshToken, refreshToken)
    }
  })

  it('if several tokens of a session come at once, one becomes permanent and the session ends', () =>
    rounds(async () => {
      const { email, refreshToken: first } = await newPerson(rotating)
      const { refreshToken: second } = await refreshed(withRotation, first)
      const answers = await atOnce(many, (index) => without.refresh(index % 2 ? first : second))
      const kept = new Set(answers.flatMap(({ body }) => body.refreshToken ?? []))

      assert.equal(kept.size, 1)
      assert.equal(tally(answers)['401 reused'], 1)
      assert.deepEqual(await sessionsOf(email), [])
    }))

  it('successors from a repeated refresh are `expired` once the session of the permanent token is over', async () => {
    const { refreshToken: first, session } = await newPerson(rotating)
    const expiry = Date.parse(session.expiresAt)

    advance(expiry - 60_000 - rotating.clock.now)

    // It expires in a minute; its successor, and the access token, would live on
    const { refreshToken: second, accessToken } = await refreshed(withRotation, first)

    await refreshed(without, first)
    advance(60_000)

    for (const client of [withRotation, without]) {
      assert.equal(outcome(await client.refresh(second)), '401 expired')
      assert.equal(outcome(await client.ask('GET', '/sessions', { token: accessToken })), '401 expired')
    }
  })

  it('a device that signs in again replaces its session', async () => {
    const device = { id: 'phone' }
    const { email, refreshToken } = await newPerson(rotating, 'user', { device })
    const { body } = await without.signIn(email, { device })

    assert.notEqual(body.refreshToken, refreshToken)
    assert.equal(outcome(await without.refresh(refreshToken)), '401 revoked')
    assert.equal((await refreshed(without, body.refreshToken)).refreshToken, body.refreshToken)
  })
})

describe('when rotation is turned on', () => {
  it('the kept token is used once, by many at once, and its successors rotate', () =>
    rounds(async () => {
      const { refreshToken: kept, session } = await newPerson(keeping)

      await refreshed(without, kept)
      advance(60_000)

      const answers = await atOnce(many, () => withRotation.refresh(kept))
      const [one, another] = answers.map(({ body }) => body.refreshToken)

      assert.deepEqual(tally(answers), { '201': many })
      assert.equal(decoded(one).claims.prev, decoded(kept).claims.jti)
      assert.ok(Date.parse(answers[0]!.body.session.expiresAt) > Date.parse(session.expiresAt))

      await refreshed(withRotation, one)
      assert.equal(outcome(await withRotation.refresh(another)), '401 reused')
    }))

  it('the kept token counts as used after its use: it ends the session after the leeway', async () => {
    const { refreshToken: kept } = await newPerson(keeping)
    const { refreshToken } = await refreshed(withRotation, kept)

    advance(afterLeeway)
    assert.equal(outcome(await withRotation.refresh(kept)), '401 reused')
    assert.equal(outcome(await withRotation.refresh(refreshToken)), '401 revoked')
  })

  it('the kept token can be the first to come, long after the login', async () => {
    const { refreshToken: kept } = await newPerson(keeping)

    advance(day)
    await refreshed(withRotation, (await refreshed(withRotation, kept)).refreshToken)
  })

  it('a token that was given up when rotation was off ends the session', async () => {
    const { refreshToken: spent } = await newPerson(rotating)
    const { refreshToken: kept } = await refreshed(withRotation, spent)

    await refreshed(without, kept)
    advance(afterLeeway)
    assert.equal(outcome(await withRotation.refresh(spent)), '401 reused')
  })

  it('another token than the kept one ends the session: of those handed out together, one was used', async () => {
    const { refreshToken: first } = await newPerson(rotating)
    const { refreshToken: kept } = await refreshed(withRotation, first)
    const { refreshToken: beside } = await refreshed(withRotation, first)

    await refreshed(without, kept)
    assert.equal(outcome(await withRotation.refresh(beside)), '401 reused')
    assert.equal(outcome(await withRotation.refresh(kept)), '401 revoked')
  })

  it('a session survives any number of changes', async () => {
    let { refreshToken } = await newPerson(rotating)

    for (const client of [
      withRotation,
      without,
      without,
      withRotation,
      withRotation,
      without,
      withRotation
    ]) {
      refreshToken = (await refreshed(client, refreshToken)).refreshToken
      advance(day)
    }
  })
})
