import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { newPerson, stored, type Person } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, outcome, restClient, tally, type Answer, type RestClient } from '../../support/rest.js'
import { decoded } from '../../support/tokens.js'

const many = 20
const leeway = 30_000 // ms: the default

let t: TestApp
let client: RestClient

before(async () => {
  t = await startApp()
  client = restClient(t.address)
})

after(() => t.stop())

const tokensOf = (answers: Answer[]): string[] => answers.map(({ body }) => body.refreshToken)
const sessionsOf = async ({ email }: Person) => (await stored(t, email)).sessions

/** Uses a token, and answers its successor. */
async function use(refreshToken: string): Promise<string> {
  const answer = await client.refresh(refreshToken)

  assert.equal(outcome(answer), '201')
  return answer.body.refreshToken
}

describe('the first use of a refresh token', () => {
  it('answers new tokens of the same session', async () => {
    const person = await newPerson(t)
    const { status, body } = await client.refresh(person.refreshToken)

    assert.equal(status, 201)
    assert.notEqual(body.refreshToken, person.refreshToken)
    assert.notEqual(body.accessToken, person.accessToken)
    assert.equal(body.session.id, person.session.id)
    assert.equal(body.user._id, person.id)
    assert.equal(decoded(body.refreshToken).claims.prev, decoded(person.refreshToken).claims.jti)
    assert.equal((await client.ask('GET', '/sessions', { token: body.accessToken })).status, 200)
  })

  it('succeeds for all who make it at once', () =>
    rounds(async () => {
      const person = await newPerson(t)
      const answers = await atOnce(many, () => client.refresh(person.refreshToken))
      const successors = tokensOf(answers)

      assert.deepEqual(tally(answers), { '201': many })
      assert.equal(new Set(successors.map((token) => decoded(token).claims.jti)).size, many)

      for (const { claims } of successors.map(decoded)) {
        assert.equal(claims.sid, person.session.id)
        assert.equal(claims.prev, decoded(person.refreshToken).claims.jti)
      }
    }))

  it('does not affect the earlier access token', async () => {
    const { ask, refreshToken } = await newPerson(t)

    await use(refreshToken)
    assert.equal((await ask('GET', '/sessions')).status, 200)
  })
})

describe('the successors that were handed out for one token', () => {
  it('can be used one by one, each the successor of the last', async () => {
    let { refreshToken } = await newPerson(t)

    for (let turn = 0; turn < 5; turn++) {
      refreshToken = await use(refreshToken)
      t.clock.advance(60_000)
    }
  })

  it('end the session when one is used and then the others come: once `reused`, then `revoked`', () =>
    rounds(async () => {
      const person = await newPerson(t)
      const [one, ...others] = tokensOf(await atOnce(many, () => client.refresh(person.refreshToken)))
      const successor = await use(one!)
      const answers = await atOnce(many - 1, (index) => client.refresh(others[index]!))

      assert.deepEqual(tally(answers), { '401 reused': 1, '401 revoked': many - 2 })
      assert.equal(outcome(await client.refresh(successor)), '401 revoked')
    }))

  it('let one be used and end the session, when all come at once', () =>
    rounds(async () => {
      const person = await newPerson(t)
      const successors = tokensOf(await atOnce(many, () => client.refresh(person.refreshToken)))
      const answers = await atOnce(many, (index) => client.refresh(successors[index]!))

      assert.deepEqual(tally(answers), { '201': 1, '401 reused': 1, '401 revoked': many - 2 })
      assert.deepEqual(await sessionsOf(person), [])
    }))
})

describe('a used token whose successor is unused', () => {
  it('may be repeated up to the end of the leeway', async () => {
    const { refreshToken } = await newPerson(t)

    await use(refreshToken)
    t.clock.advance(leeway - 1)
    await use(await use(refreshToken))
  })

  it('ends the session after the leeway: once `reused`, then `revoked`', () =>
    rounds(async () => {
      const { refreshToken } = await newPerson(t)
      const successor = await use(refreshToken)

      t.clock.advance(leeway)

      const answers = await atOnce(many, () => client.refresh(refreshToken))

      assert.deepEqual(tally(answers), { '401 reused': 1, '401 revoked': many - 1 })
      assert.equal(outcome(await client.refresh(successor)), '401 revoked')
    }))

  it('moves neither the time of the last refresh nor the expiry when repeated', async () => {
    const person = await newPerson(t)

    t.clock.advance(60_000)

    const { session } = (await client.refresh(person.refreshToken)).body
    const [before] = await sessionsOf(person)

    t.clock.advance(leeway - 1)

    const repeats = await atOnce(many, () => client.refresh(person.refreshToken))

    assert.deepEqual(tally(repeats), { '201': many })
    assert.deepEqual(repeats[0]!.body.session, session)
    assert.deepEqual(await sessionsOf(person), [before])
    assert.equal(before.refreshedAt.getTime(), t.clock.now - leeway + 1)

    // so the leeway counts from the first use, not from the last repeat
    t.clock.advance(1)
    assert.equal(outcome(await client.refresh(person.refreshToken)), '401 reused')
  })
})

describe('a used token whose successor is in use', () => {
  it('ends the session, within the leeway too: once `reused`, then `revoked`', () =>
    rounds(async () => {
      const { refreshToken } = await newPerson(t)
      const successor = await use(await use(refreshToken))
      const answers = await atOnce(many, () => client.refresh(refreshToken))

      assert.deepEqual(tally(answers), { '401 reused': 1, '401 revoked': many - 1 })
      assert.equal(outcome(await client.refresh(successor)), '401 revoked')
    }))

  it('ends the access tokens and the stored session, and announces it once', async () => {
    const person = await newPerson(t)
    const ended: unknown[] = []
    const listen = (session: { id: string; reason: string }) => ended.push([session.id, session.reason])
    const { accessToken, refreshToken } = (await client.refresh(person.refreshToken)).body

    await use(refreshToken)
    t.app.service('sessions').on('removed', listen)
    await atOnce(many, () => client.refresh(person.refreshToken))
    t.app.service('sessions').off('removed', listen)

    assert.deepEqual(ended, [[person.session.id, 'reused']])
    assert.deepEqual(await sessionsOf(person), [])
    assert.equal(outcome(await person.ask('GET', '/sessions')), '401 revoked')
    assert.equal(outcome(await client.ask('GET', '/sessions', { token: accessToken })), '401 revoked')
  })

  it('leaves the other sessions of the user alone', async () => {
    const person = await newPerson(t)
    const other = await person.signIn()

    await use(await use(person.refreshToken))
    assert.equal(outcome(await client.refresh(person.refreshToken)), '401 reused')
    await use(other.refreshToken)
  })
})

describe('a leeway of "0s"', () => {
  it('allows no repeat: of many at once one succeeds and the session ends', () =>
    withApp({ settings: { authentication: { 'refresh-token': { leeway: '0s' } } } }, (strict) =>
      rounds(async () => {
        const { refreshToken } = await newPerson(strict)
        const answers = await atOnce(many, () => restClient(strict.address).refresh(refreshToken))

        assert.deepEqual(tally(answers), { '201': 1, '401 reused': 1, '401 revoked': many - 2 })
      })
    ))
})
