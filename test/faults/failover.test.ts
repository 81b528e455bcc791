import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { startRefreshing, type Refreshing } from '../support/refreshing.js'
import { startReplicaSet, type ReplicaSet } from '../support/replica-set.js'
import { restClient, tally, type Answer } from '../support/rest.js'
import { violations } from '../support/rotation-model.js'
import { poll } from '../support/socket.js'

const longest = 15_000 // ms that any request may take

describe('a replica set of three, while clients refresh at two instances', () => {
  let set: ReplicaSet
  let apps: TestApp[]
  let refreshing: Refreshing

  before(async () => {
    set = await startReplicaSet()
    process.env.MONGODB_URL = set.url

    const first = await startApp()

    apps = [first, await startApp({ database: first.db.databaseName })]
    refreshing = await startRefreshing(
      apps.map(({ address }) => address),
      { alone: 8, paired: 3, robbed: 2, rest: 20 }
    )
  })
  after(async () => {
    await refreshing?.stop()

    for (const app of apps?.toReversed() ?? []) {
      await app.stop()
    }
    await set?.remove()
  })

  const health = () => restClient(apps[0]!.address).ask('GET', '/health')

  /** Nothing was lost, nothing honoured against the rules, nothing took too long, nobody heard a 401 or a 500 for it. */
  async function assertWhole(t: TestContext, faults: string, inject: () => Promise<void>): Promise<void> {
    const { presentations, lost } = refreshing
    const [before, robberies] = [presentations.length, refreshing.robberies]

    await inject()
    await refreshing.goOn(60)

    const since = presentations.slice(before)
    const outcomes = (pattern: RegExp) => since.filter(({ outcome }) => pattern.test(outcome))
    const time = Math.max(...since.map(({ from, till }) => till - from))

    t.diagnostic(
      `${outcomes(/granted/).length} refreshes, ${faults}: ${outcomes(/503/).length} answers 503, the longest after ` +
        `${Math.round(time)} ms, ${refreshing.robberies - robberies} thefts found out, ${lost.length} sessions lost`
    )
    assert.deepEqual(lost, [])
    assert.deepEqual(violations(presentations), [])
    assert.equal(outcomes(/^(granted|refused (reused|revoked)|503)$/).length, since.length)
    assert.ok(time < longest, `${time} ms`)
  }

  it('loses no session when the primary hands over', (t: TestContext) =>
    assertWhole(t, '2 hand-overs', async () => {
      for (let handOver = 1; handOver <= 2; handOver++) {
        const before = await set.stepDown()

        await refreshing.goOn(30)
        assert.notEqual((await set.primary()).port, before.port)
      }
    }))

  it('loses no session when the primary is killed', (t: TestContext) =>
    assertWhole(t, '1 primary killed', async () => {
      const primary = await set.primary()

      await primary.kill()
      await refreshing.goOn(30)
      await primary.restart()
    }))

  it('loses no session when the primary freezes, and comes back when it is none any more', (t: TestContext) =>
    assertWhole(t, '1 primary frozen', async () => {
      const primary = await set.primary()

      primary.freeze()

      try {
        await refreshing.goOn(30)
      } finally {
        primary.thaw()
      }
    }))

  it('is 503 without a majority, and goes on by itself when there is one', (t: TestContext) =>
    assertWhole(t, '2 of 3 members killed', async () => {
      const primary = await set.primary()
      const secondary = set.members.find((member) => member !== primary)!
      const before = refreshing.presentations.length
      const fails = () => refreshing.presentations.slice(before).some(({ outcome }) => outcome === '503')
      const healthSoFar: Answer[] = []
      const isHealthy = async (status: number) => {
        const answer = await health()

        return healthSoFar.push(answer) && answer.status === status
      }

      await Promise.all([primary.kill(), secondary.kill()])
      await poll(fails, 'a refresh that fails', longest)
      await poll(() => isHealthy(503), 'the 503')
      await secondary.restart()
      await poll(() => isHealthy(200), 'the 200', 30_000)
      await primary.restart()
      assert.deepEqual(Object.keys(tally(healthSoFar)).sort(), ['200', '503'])
    }))

  it('has every client signed in still', async () => {
    await refreshing.stop()
    await refreshing.refreshOnceMore()
    assert.deepEqual(refreshing.lost, [])
  })
})
