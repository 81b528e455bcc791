import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { fieldsOf, newPerson, stored } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, outcome, restClient, tally, type RestClient } from '../../support/rest.js'
import { decoded } from '../../support/tokens.js'

const many = 20
const day = 24 * 60 * 60_000 // ms: long after the leeway

let t: TestApp
let client: RestClient

before(async () => {
  t = await startApp()
  client = restClient(t.address)
})

after(() => t.stop())

const use = (refreshToken: string, idempotencyKey?: string) =>
  client.refresh(refreshToken, idempotencyKey === undefined ? {} : { idempotencyKey })

/** Uses a token under a key, and answers its successor. */
async function successorOf(refreshToken: string, key?: string): Promise<string> {
  const answer = await use(refreshToken, key)

  assert.equal(outcome(answer), '201')
  return answer.body.refreshToken
}

const keysOf = async (email: string): Promise<string[]> => (await stored(t, email)).sessions[0].keys

describe('a refresh with an idempotency key', () => {
  it('is repeated long after the leeway, by many at once, when the answer was lost', () =>
    rounds(async () => {
      const { refreshToken } = await newPerson(t)
      const key = randomUUID()

      await use(refreshToken, key)
      t.clock.advance(day)

      const answers = await atOnce(many, () => use(refreshToken, key))

      assert.deepEqual(tally(answers), { '201': many })

      const successor = await successorOf(answers[7]!.body.refreshToken)

      assert.equal(outcome(await use(answers[8]!.body.refreshToken)), '401 reused')
      assert.equal(outcome(await use(successor)), '401 revoked')
    }))

  it('is repeated with another key, or with none, within the leeway only', async () => {
    for (const other of [randomUUID(), undefined]) {
      const { refreshToken } = await newPerson(t)

      await successorOf(refreshToken, randomUUID())
      await successorOf(refreshToken, other === undefined ? undefined : randomUUID())
      t.clock.advance(day)
      assert.equal(outcome(await use(refreshToken, other)), '401 reused')
    }
  })

  it('counts as reuse once the successor is in use', async () => {
    const { refreshToken } = await newPerson(t)
    const key = randomUUID()

    await successorOf(await successorOf(refreshToken, key))
    assert.equal(outcome(await use(refreshToken, key)), '401 reused')
  })

  it('moves neither the time of the last refresh nor the expiry when repeated, under any key', async () => {
    const { email, refreshToken } = await newPerson(t)
    const [key, another] = [randomUUID(), randomUUID()]
    const { session } = (await use(refreshToken, key)).body

    for (const [pause, repeatedUnder] of [
      [1000, another],
      [1000, another],
      [day, another],
      [day, key]
    ] as const) {
      t.clock.advance(pause)
      assert.deepEqual((await use(refreshToken, repeatedUnder)).body.session, session)
    }

    const [record] = (await stored(t, email)).sessions

    assert.equal(record.refreshedAt.toISOString(), session.refreshedAt)
    assert.equal(record.expiresAt.toISOString(), session.expiresAt)
  })
})

describe('the idempotency keys of a token', () => {
  it('are remembered when they first come within the leeway', async () => {
    const { refreshToken } = await newPerson(t)
    const key = randomUUID()

    await successorOf(refreshToken)
    await successorOf(refreshToken, key)
    t.clock.advance(day)
    await successorOf(refreshToken, key)
  })

  it('are remembered up to the last four', async () => {
    const { refreshToken } = await newPerson(t)
    const [first, ...lastFour] = Array.from({ length: 5 }, () => randomUUID())

    for (const key of [first, ...lastFour]) {
      await successorOf(refreshToken, key)
    }

    t.clock.advance(day)

    for (const key of lastFour) {
      await successorOf(refreshToken, key)
    }

    assert.equal(outcome(await use(refreshToken, first)), '401 reused')
  })

  it('are four at most when many different ones come at once', () =>
    rounds(async () => {
      const { email, refreshToken } = await newPerson(t)
      const answers = await atOnce(many, () => use(refreshToken, randomUUID()))

      assert.deepEqual(tally(answers), { '201': many })
      assert.equal((await keysOf(email)).length, 4)
    }))

  it('are not crowded out by one that comes many times at once', () =>
    rounds(async () => {
      const { email, refreshToken } = await newPerson(t)
      const [first, second] = [randomUUID(), randomUUID()]

      await successorOf(refreshToken, first)
      await atOnce(many, () => use(refreshToken, second))
      assert.equal((await keysOf(email)).length, 2)

      t.clock.advance(day)
      await successorOf(refreshToken, first)
      await successorOf(refreshToken, second)
    }))

  it('are bound to that token', async () => {
    const { email, refreshToken } = await newPerson(t)
    const key = randomUUID()
    const successor = await successorOf(refreshToken, key)
    const [hash] = await keysOf(email)
    const next = await successorOf(successor)

    assert.deepEqual(await keysOf(email), [])
    t.clock.advance(day)
    assert.equal(outcome(await use(successor, key)), '401 reused')
    assert.equal(outcome(await use(next)), '401 revoked')

    // one key for two tokens leaves two different traces
    const another = await newPerson(t)

    await successorOf(another.refreshToken, key)
    assert.notEqual((await keysOf(another.email))[0], hash)
  })

  it('work without a leeway', () =>
    withApp({ settings: { authentication: { 'refresh-token': { leeway: '0s' } } } }, (strict) =>
      rounds(async () => {
        const { refreshToken } = await newPerson(strict)
        const idempotencyKey = randomUUID()
        const answers = await atOnce(many, () =>
          restClient(strict.address).refresh(refreshToken, { idempotencyKey })
        )

        assert.deepEqual(tally(answers), { '201': many })
      })
    ))

  it('have 1 to 128 characters: else 400, and the token stays unused', async () => {
    const { refreshToken } = await newPerson(t)

    for (const idempotencyKey of ['', 'k'.repeat(129), 7, null, ['k'], { $ne: 'k' }]) {
      const answer = await client.refresh(refreshToken, { idempotencyKey })

      assert.equal(outcome(answer), '400')
      assert.deepEqual(fieldsOf(answer), ['idempotencyKey'])
    }

    const successor = await successorOf(refreshToken, 'k'.repeat(128))

    await successorOf(successor, 'k')
  })
})

describe('what is stored of a session', () => {
  it('holds no token, no key, and nothing that can be used as one', async () => {
    const { email, refreshToken, accessToken } = await newPerson(t, 'user', { device: { id: 'phone' } })
    const idempotencyKey = randomUUID()
    const answer = await client.refresh(refreshToken, { idempotencyKey })
    const tokens = [refreshToken, accessToken, answer.body.refreshToken, answer.body.accessToken]
    const document = JSON.stringify(await stored(t, email))

    for (const token of tokens) {
      assert.ok(!document.includes(token.split('.')[2]), 'a signature is stored')
    }

    assert.ok(!document.includes(idempotencyKey), 'an idempotency key is stored')
    // the successor that was answered is known to nobody but its holder
    assert.ok(!document.includes(decoded(answer.body.refreshToken).claims.jti), "a successor's id is stored")

    for (const text of document.match(/"[^"]+"/g)!.map((quoted) => quoted.slice(1, -1))) {
      // As text, so that the names of fields are not taken for secrets when the logs are searched
      const body = JSON.stringify({ strategy: 'refresh-token', refreshToken: text })

      assert.equal(outcome(await client.ask('POST', '/authentication', { body })), '401 invalid')
    }
  })
})
