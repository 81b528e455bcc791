import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { endedBy } from '../../support/events.js'
import { newPerson, stored } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, outcome, restClient, tally, type Answer } from '../../support/rest.js'

const minute = 60_000 // ms

const allowing = (maxSessions?: number) => ({
  settings: { authentication: { 'refresh-token': { expiresIn: '10m', maxSessions } } }
})

const idsOf = async (t: TestApp, email: string): Promise<string[]> =>
  (await stored(t, email)).sessions.map(({ id }: { id: string }) => id).sort()

describe('maxSessions', () => {
  let t: TestApp

  before(async () => {
    t = await startApp(allowing(3))
  })

  after(() => t.stop())

  it('the session unused for longest makes room for a login', async () => {
    const client = restClient(t.address)
    const first = await newPerson(t)

    t.clock.advance(minute)
    const second = await first.signIn()

    t.clock.advance(minute)
    const third = await first.signIn()

    t.clock.advance(minute)
    const { session, refreshToken } = (await client.refresh(first.refreshToken)).body
    let fourth: Answer['body']

    assert.deepEqual(await endedBy(t, async () => (fourth = await first.signIn())), [
      [second.session.id, 'evicted']
    ])
    assert.deepEqual(await idsOf(t, first.email), [session.id, third.session.id, fourth.session.id].sort())
    assert.equal(outcome(await client.refresh(second.refreshToken)), '401 revoked')
    assert.equal(outcome(await client.refresh(refreshToken)), '201')
    assert.equal(outcome(await client.ask('GET', '/sessions', { token: second.accessToken })), '401 revoked')
  })

  it('expired sessions make room first', async () => {
    const first = await newPerson(t)
    const alsoFirst = await first.signIn()

    t.clock.advance(9 * minute)
    const second = await first.signIn()

    t.clock.advance(minute)
    let third: Answer['body']
    const ended = await endedBy(t, async () => (third = await first.signIn()))

    assert.deepEqual(
      new Set(ended.map(String)),
      new Set([`${first.session.id},expired`, `${alsoFirst.session.id},expired`])
    )
    assert.deepEqual(await idsOf(t, first.email), [second.session.id, third.session.id].sort())
  })

  it('the session of the same device makes room first', async () => {
    const device = { id: 'phone' }
    const first = await newPerson(t)

    t.clock.advance(minute)
    const phone = await first.signIn({ device })

    t.clock.advance(minute)
    await first.signIn()

    assert.deepEqual(await endedBy(t, () => first.signIn({ device })), [[phone.session.id, 'replaced']])
    assert.equal((await idsOf(t, first.email)).length, 3)
  })
})

describe('maxSessions of 20, the default', () => {
  it('holds when 25 sign in at once', () =>
    withApp({}, async (t) => {
      const client = restClient(t.address)

      await rounds(async () => {
        const { email } = await client.signUp()
        let answers: Answer[] = []
        const ended = await endedBy(t, async () => {
          answers = await atOnce(25, () => client.signIn(email))
        })
        const opened = answers.map(({ body }) => body.session.id)

        assert.deepEqual(tally(answers), { '201': 25 })
        assert.equal((await idsOf(t, email)).length, 20)
        assert.equal(new Set(ended.map(([id]) => id)).size, 5)
        assert.ok(ended.every(([, reason]) => reason === 'evicted'))
        assert.deepEqual([...(await idsOf(t, email)), ...ended.map(([id]) => id)].sort(), opened.sort())

        const refreshes = await atOnce(25, (index) => client.refresh(answers[index]!.body.refreshToken))

        assert.deepEqual(tally(refreshes), { '201': 20, '401 revoked': 5 })
      })
    }))
})

describe('maxSessions of 1', () => {
  it('a login ends the one session there is, also when many come at once', () =>
    withApp(allowing(1), async (t) => {
      const client = restClient(t.address)

      await rounds(async () => {
        const { email } = await newPerson(t)
        let answers: Answer[] = []
        const ended = await endedBy(t, async () => {
          answers = await atOnce(20, () => client.signIn(email))
        })

        assert.deepEqual(tally(answers), { '201': 20 })
        assert.equal(ended.length, 20)
        assert.equal((await idsOf(t, email)).length, 1)

        const last = answers.find(({ body }) => !ended.some(([id]) => id === body.session.id))

        assert.equal(outcome(await client.refresh(last!.body.refreshToken)), '201')
      })
    }))
})
