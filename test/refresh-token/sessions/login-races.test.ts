import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, stored, type Person } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, outcome, password, restClient, type Answer, type RestClient } from '../../support/rest.js'

const many = 20

let t: TestApp
let client: RestClient
let admin: Person

before(async () => {
  t = await startApp({ settings: { authentication: { 'refresh-token': { maxSessions: 1000 } } } })
  client = restClient(t.address)
  admin = await newPerson(t, 'admin')
})

after(() => t.stop())

/** Calls in flight while something changes: at their start, or once the first of them is answered. */
async function inFlight(
  round: number,
  call: (index: number) => Promise<Answer>,
  change: () => Promise<Answer>
): Promise<Answer[]> {
  let firstAnswered = () => {}
  const start = round % 2 ? undefined : new Promise<void>((resolve) => (firstAnswered = resolve))
  const calls = atOnce(many, async (index) => {
    const answer = await call(index)

    firstAnswered()
    return answer
  })

  await start
  assert.equal((await change()).status, 200)
  return calls
}

/** Each was let in or not; who was is out again. */
async function assertAllOut(answers: Answer[], refusals: string[]): Promise<void> {
  const reasons = answers.map(outcome)

  assert.deepEqual(
    reasons.filter((reason) => !['201', ...refusals].includes(reason)),
    []
  )

  const accepted = answers.filter(({ status }) => status === 201)

  await Promise.all(
    accepted.map(async ({ body }) => {
      const use = await client.refresh(body.refreshToken)
      const access = await client.ask('GET', '/sessions', { token: body.accessToken })

      assert.match(outcome(use), /^401 (revoked|disabled)$/)
      assert.equal(outcome(access), outcome(use))
    })
  )
}

const idsOf = async (email: string): Promise<string[]> =>
  (await stored(t, email)).sessions.map(({ id }: { id: string }) => id)

const newPassword = 'correct zebra battery'

describe('logins in flight', () => {
  it('with the old password leave no session when the user changes it', () =>
    rounds(async (round) => {
      const { email, id, ask, session } = await newPerson(t)
      const change = { password: newPassword, currentPassword: password }
      const answers = await inFlight(
        round,
        () => client.signIn(email),
        () => ask('PATCH', `/users/${id}`, { body: change })
      )

      await assertAllOut(answers, ['401'])
      assert.deepEqual(await idsOf(email), [session.id])
      assert.equal(outcome(await client.signIn(email)), '401')
      assert.equal(outcome(await client.signIn(email, { password: newPassword })), '201')
    }))

  it('with the old password leave no session when an admin changes it', () =>
    rounds(async (round) => {
      const { email, id } = await newPerson(t)
      const answers = await inFlight(
        round,
        () => client.signIn(email),
        () => admin.ask('PATCH', `/users/${id}`, { body: { password: newPassword } })
      )

      await assertAllOut(answers, ['401'])
      assert.deepEqual(await idsOf(email), [])
    }))

  it('leave no session when the account is disabled', () =>
    rounds(async (round) => {
      const { email, id } = await newPerson(t)
      const answers = await inFlight(
        round,
        () => client.signIn(email),
        () => admin.ask('PATCH', `/users/${id}`, { body: { disabled: true } })
      )

      await assertAllOut(answers, ['401 disabled'])
      assert.deepEqual(await idsOf(email), [])
    }))

  it('leave no session when the account is deleted', () =>
    rounds(async (round) => {
      const { email, id, ask } = await newPerson(t)
      const answers = await inFlight(
        round,
        () => client.signIn(email),
        () => ask('DELETE', `/users/${id}`)
      )

      await assertAllOut(answers, ['401', '401 revoked'])
      assert.equal(await t.db.collection('users').findOne({ email }), null)
    }))
})

describe('refreshes in flight', () => {
  it('leave no session when the password is changed, but the one that asked', () =>
    rounds(async (round) => {
      const { email, id, ask, session, signIn } = await newPerson(t)
      const { refreshToken } = await signIn()
      const change = { password: newPassword, currentPassword: password }
      const answers = await inFlight(
        round,
        () => client.refresh(refreshToken),
        () => ask('PATCH', `/users/${id}`, { body: change })
      )

      await assertAllOut(answers, ['401 revoked'])
      assert.deepEqual(await idsOf(email), [session.id])
    }))

  it('leave no session when all are ended', () =>
    rounds(async (round) => {
      const { email, ask, refreshToken } = await newPerson(t)
      const answers = await inFlight(
        round,
        () => client.refresh(refreshToken),
        () => ask('DELETE', '/sessions')
      )

      await assertAllOut(answers, ['401 revoked'])
      assert.deepEqual(await idsOf(email), [])
    }))

  it('leave no session when the account is deleted', () =>
    rounds(async (round) => {
      const { id, ask, refreshToken } = await newPerson(t)
      const answers = await inFlight(
        round,
        () => client.refresh(refreshToken),
        () => ask('DELETE', `/users/${id}`)
      )

      await assertAllOut(answers, ['401 revoked'])
    }))
})

describe('calls in flight', () => {
  it('are refused as `revoked` from the moment that the account is deleted', () =>
    rounds(async (round) => {
      const { id, ask } = await newPerson(t)
      const answers = await inFlight(
        round,
        () => ask('GET', '/sessions'),
        () => ask('DELETE', `/users/${id}`)
      )

      assert.deepEqual(
        answers.map(outcome).filter((reason) => !['200', '401 revoked'].includes(reason)),
        []
      )
    }))
})
