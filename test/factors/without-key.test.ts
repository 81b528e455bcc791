import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { PatternStrategy } from '../support/pattern-strategy.js'
import { outcome } from '../support/rest.js'
import { oneApp } from '../support/two-apps.js'

describe('a strategy for a factor in an app without a key for factors', () => {
  let app: Awaited<ReturnType<typeof oneApp>>

  before(async () => {
    app = await oneApp({
      settings: { authStrategies: ['jwt', 'local', 'pattern'] },
      strategies: () => ({ pattern: new PatternStrategy((pattern) => pattern) })
    })
  })
  after(() => app.stop())

  it('takes no challenge, since none was made there', async () => {
    const answer = await app.client.authenticate({
      strategy: 'pattern',
      challenge: 'made up',
      pattern: 'a star'
    })

    assert.equal(outcome(answer), '401 invalid')
  })

  it('answers no login of a user with a factor, and opens no session', async () => {
    const { _id, email } = await app.add({ factors: [{ id: 'one', kind: 'pattern', hash: 'a star' }] })
    const { reason, challenge } = (await app.login(email)).data

    assert.deepEqual([reason, challenge], ['factor', undefined])
    assert.equal((await app.users.findOne({ _id }))!.sessions, undefined)
  })
})
