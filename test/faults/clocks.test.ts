import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { newPerson, stored, type Person } from '../support/people.js'
import { outcome, restClient, type RestClient } from '../support/rest.js'
import { connect } from '../support/socket.js'

const minute = 60_000 // ms
const hour = 60 * minute

// docs/faults.md says all of this
describe('an instance whose clock is wrong', () => {
  let right: TestApp
  let ahead: TestApp
  let behind: TestApp
  let atRight: RestClient
  let atAhead: RestClient
  let atBehind: RestClient
  let ada: Person

  before(async () => {
    right = await startApp()
    ahead = await startApp({ database: right.db.databaseName })
    behind = await startApp({ database: right.db.databaseName })
    ahead.clock.now = right.clock.now + hour
    behind.clock.now = right.clock.now - hour
    ;[atRight, atAhead, atBehind] = [right, ahead, behind].map(({ address }) => restClient(address)) as [
      RestClient,
      RestClient,
      RestClient
    ]
  })
  beforeEach(async () => {
    ada = await newPerson(right)
  })
  after(async () => {
    await behind?.stop()
    await ahead?.stop()
    await right?.stop()
  })

  /** How a call with an access token, and a refresh, come out. */
  const outcomesAt = async ({ ask, refresh }: RestClient, accessToken: string, refreshToken: string) => [
    outcome(await ask('GET', '/sessions', { token: accessToken })),
    outcome(await refresh(refreshToken))
  ]

  const sessionsOf = async ({ accessToken }: Person) =>
    (await atRight.ask('GET', '/sessions', { token: accessToken })).body

  it('that is ahead refuses access tokens as expired, and refreshes', async () => {
    assert.deepEqual(await outcomesAt(atAhead, ada.accessToken, ada.refreshToken), ['401 expired', '201'])
    assert.equal((await sessionsOf(ada)).length, 1)
  })

  it('that is behind refuses the tokens of others as invalid, which ends nothing', async () => {
    assert.deepEqual(await outcomesAt(atBehind, ada.accessToken, ada.refreshToken), [
      '401 invalid',
      '401 invalid'
    ])
    assert.deepEqual(await outcomesAt(atRight, ada.accessToken, ada.refreshToken), ['200', '201'])
  })

  it('that is ahead issues tokens that the others refuse as invalid until they are valid', async () => {
    const { body: early } = await atAhead.refresh(ada.refreshToken)

    assert.deepEqual(await outcomesAt(atRight, early.accessToken, early.refreshToken), [
      '401 invalid',
      '401 invalid'
    ])
    assert.deepEqual(await outcomesAt(atAhead, early.accessToken, early.refreshToken), ['200', '201'])

    const { body: other } = await atAhead.signIn(ada.email)

    right.clock.advance(hour - minute)

    try {
      assert.deepEqual(await outcomesAt(atRight, other.accessToken, other.refreshToken), ['200', '201'])
    } finally {
      right.clock.advance(minute - hour)
    }
  })

  it('that is behind issues refresh tokens that the others accept, and access tokens that they refuse as expired', async () => {
    const { body: late } = await atBehind.signIn(ada.email)

    assert.deepEqual(await outcomesAt(atRight, late.accessToken, late.refreshToken), ['401 expired', '201'])
  })

  for (const [where, first, second] of [
    ['at the one ahead', () => atRight, () => atAhead],
    ['after the one ahead', () => atAhead, () => atRight]
  ] as const) {
    it(`treats no repeat with an idempotency key as a reuse, ${where}`, async () => {
      const idempotencyKey = ada.id
      const { body: lost } = await first().refresh(ada.refreshToken, { idempotencyKey })
      const answer = await second().refresh(ada.refreshToken, { idempotencyKey })

      assert.equal(outcome(answer), '201')
      assert.equal(answer.body.session.id, lost.session.id)
      assert.equal(outcome(await second().refresh(answer.body.refreshToken)), '201')
    })
  }

  it('grants a repeat without a key for the leeway by its own clock', async () => {
    await atAhead.refresh(ada.refreshToken)

    // First used in an hour, by this clock
    assert.equal(outcome(await atRight.refresh(ada.refreshToken)), '201')

    const bob = await newPerson(right)

    await atRight.refresh(bob.refreshToken)

    // First used an hour ago, by that clock
    assert.equal(outcome(await atAhead.refresh(bob.refreshToken)), '401 reused')
  })

  it('detects a reuse with any clock', async () => {
    const { body: first } = await atRight.refresh(ada.refreshToken)

    assert.equal(outcome(await atAhead.refresh(first.refreshToken)), '201')
    assert.equal(outcome(await atRight.refresh(ada.refreshToken)), '401 reused')
    assert.equal(outcome(await atRight.refresh(first.refreshToken)), '401 revoked')
    assert.deepEqual(await outcomesAt(atAhead, first.accessToken, first.refreshToken), [
      '401 expired',
      '401 revoked'
    ])
  })

  it('that is ahead removes at a sign-in only sessions that expire within the hour', async () => {
    const { idleLife } = right.app.service('authentication').settings
    const isStored = async () =>
      (await stored(right, ada.email)).sessions.some(({ id }: { id: string }) => id === ada.session.id)

    ahead.clock.now = right.clock.now + idleLife - minute

    try {
      await atAhead.signIn(ada.email)
      assert.ok(await isStored())
      ahead.clock.advance(minute)
      await atAhead.signIn(ada.email)
      assert.ok(!(await isStored()))
    } finally {
      ahead.clock.now = right.clock.now + hour
    }
  })

  it('that is ahead signs a socket in with its own tokens only', async () => {
    const socket = await connect(ahead.address)

    try {
      await assert.rejects(
        socket.call('create', 'authentication', { strategy: 'jwt', accessToken: ada.accessToken }),
        { data: { reason: 'expired' } }
      )

      const { accessToken } = await socket.call('create', 'authentication', {
        strategy: 'refresh-token',
        refreshToken: ada.refreshToken
      })

      await socket.call('create', 'authentication', { strategy: 'jwt', accessToken })
      assert.equal((await socket.call('find', 'sessions')).length, 1)
    } finally {
      socket.close()
    }
  })
})
