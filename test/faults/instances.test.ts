import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { startRefreshing } from '../support/refreshing.js'
import { violations } from '../support/rotation-model.js'
import { atOnce } from '../support/rest.js'
import { goodSecrets, makePlace, type Place, type TestService } from '../support/service.js'

const env = { ...goodSecrets, NODE_CONFIG: JSON.stringify({ rateLimit: false }) }

describe('instances that are killed while clients refresh', () => {
  let place: Place
  let services: TestService[]

  before(async () => {
    place = await makePlace()
    services = await atOnce(3, () => place.start(env))
  })
  after(() => place?.remove())

  it('log nobody out: every client continues at another, with the token that it has', async (t: TestContext) => {
    const addresses = services.map(({ address }) => address)
    const refreshing = await startRefreshing(addresses, { alone: 12, paired: 4, robbed: 2 })
    const [, ...killed] = services

    await refreshing.goOn(100)

    for (const service of killed) {
      service.kill('SIGKILL')
      await service.outcome
      await refreshing.goOn(100)
    }

    addresses.splice(1)
    await refreshing.stop()
    await refreshing.refreshOnceMore()

    const { presentations, lost, robberies } = refreshing
    const unanswered = presentations.filter(({ outcome }) => outcome === 'lost')

    t.diagnostic(
      `${refreshing.granted()} refreshes at 3 instances, of which ${killed.length} were killed: ` +
        `${unanswered.length} without an answer, ${robberies} thefts found out, ${lost.length} sessions lost`
    )
    assert.deepEqual(lost, [])
    assert.deepEqual(violations(presentations), [])
    assert.ok(unanswered.length > 0, 'the kills hit requests in flight')
    assert.ok(robberies > 0)
  })
})
