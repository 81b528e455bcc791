import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { movePreviousTokens } from '../../../src/refresh-token/index.js'
import { startApp, type TestApp } from '../../support/app.js'
import { factorClient, newGuarded, withFactors } from '../../support/factors.js'
import { newPerson, stored } from '../../support/people.js'
import { atOnce, outcome, password, tally } from '../../support/rest.js'

const refused = (reason?: string) => (error: { code?: number; data?: { reason?: string } }) => {
  assert.equal(error.code, 401)
  assert.equal(error.data?.reason, reason)
  return true
}

describe('credentials that are given again for a session', () => {
  let t: TestApp

  before(async () => {
    t = await startApp({
      settings: withFactors({
        authentication: {
          authStrategies: ['jwt', 'local', 'refresh-token', 'totp', 'recovery-code'],
          factors: { secret: 'not a secret: factors of the tests' },
          'refresh-token': { previousTokens: true }
        }
      })
    })
  })
  after(() => t.stop())

  const store = () => t.app.service('authentication').sessions
  const hasFactor = true

  it('change nothing when anything about them or the session has changed meanwhile', async () => {
    const { person } = await newGuarded(t)
    const { id, session } = person
    const step = (more: object, sessionId: string = session.id) =>
      store().stepUp(id, sessionId, { amr: ['otp'], hasFactor, ...more })
    const before = await stored(t, person.email)
    const [factor] = before.factors

    await assert.rejects(
      step({ used: { factor: { id: factor.id, step: { $lt: 0 } }, set: {} } }),
      refused('invalid')
    )
    await assert.rejects(step({ used: { recoveryCode: 'used' } }), refused('invalid'))
    await assert.rejects(step({ unchanged: { password: 'another' } }), refused())
    await assert.rejects(step({}, 'no-such'), refused('revoked'))
    await assert.rejects(step({ hasFactor: false }), refused('factor'))
    assert.deepEqual(await stored(t, person.email), before)
  })

  it('come too late for a session that has expired', async () => {
    const { id, session } = await newPerson(t)
    const { now } = t.clock

    t.clock.now = new Date(session.expiresAt).getTime()
    await assert.rejects(store().stepUp(id, session.id, {}), refused('expired'))
    t.clock.now = now
  })

  it('come too late for a session that ends while they are verified', async () => {
    const { id, email, accessToken, session } = await newPerson(t)
    let isDue = true

    t.app.service('users').hooks({
      after: {
        get: [
          async (context) => {
            // That of the password, not that of the access token
            if (isDue && String(context.id) === id && context.params.authentication) {
              isDue = false
              await store().end(id, session.id, 'revoked')
            }
          }
        ]
      }
    })

    const answer = await factorClient(t.address).stepUp(accessToken, { strategy: 'local', email, password })

    assert.equal(isDue, false)
    assert.equal(outcome(answer), '401 revoked')
  })

  it('are to be given once more when nothing tells why they were not taken', async () => {
    const { id, session } = await newPerson(t)
    const { now, advance } = t.clock
    const times = [new Date(session.expiresAt).getTime()] // late, and then early: as if it had been refreshed meanwhile

    Object.defineProperty(t.clock, 'now', { get: () => times.shift() ?? now, configurable: true })
    await assert.rejects(store().stepUp(id, session.id, {}), { code: 503 })
    Object.defineProperty(t.clock, 'now', { value: now, writable: true })
    assert.equal(t.clock.advance, advance)
  })

  it('are good once, however many give them at once', async () => {
    const { person, app } = await newGuarded(t)
    const on = factorClient(t.address)
    const code = app.next()
    const answers = await atOnce(10, () => on.stepUp(person.accessToken, { strategy: 'totp', code }))

    assert.deepEqual(tally(answers), { '201': 1, '401 invalid': 9 })
  })

  it('are none that the service does not know, or that belong to no session', async () => {
    const { person } = await newGuarded(t)
    const on = factorClient(t.address)

    assert.equal(outcome(await on.stepUp(person.accessToken, { strategy: 'nosuch' })), '401')
  })

  it('a refresh token of another package does not stand for a factor', async () => {
    const { person } = await newGuarded(t)

    await movePreviousTokens(t.db, [
      { token: 'of before', userId: person.id, expiresAt: new Date(Date.now() + 60_000) }
    ])
    assert.equal(outcome(await factorClient(t.address).client.refresh('of before')), '401 revoked')
  })
})
