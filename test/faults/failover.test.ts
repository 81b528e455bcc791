import assert from 'node:assert/strict'
import { after, before, describe, it, type TestContext } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { startRefreshing, type Refreshing } from '../support/refreshing.js'
import { startReplicaSet, type ReplicaSet } from '../support/replica-set.js'
import { restClient, tally, type Answer } from '../support/rest.js'
import { poll } from '../support/socket.js'
import { assertUnharmed } from '../support/unharmed.js'

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

  /** What ends at one instance is felt at the other, whatever became of its change stream. */
  async function assertLive(): Promise<void> {
    const [here, elsewhere] = apps.map(({ address }) => restClient(address))
    const { accessToken: token } = await elsewhere!.newLogin()
    const statusHere = async () => (await here!.ask('GET', '/content/user', { token })).status

    assert.equal(await statusHere(), 200)
    assert.equal((await elsewhere!.ask('DELETE', '/authentication', { token })).status, 200)
    await poll(async () => (await statusHere()) === 401, 'the refusal')
  }

  const health = () => restClient(apps[0]!.address).ask('GET', '/health')

  it('loses no session when the primary hands over', (t: TestContext) =>
    assertUnharmed(refreshing, t, async () => {
      for (let handOver = 1; handOver <= 2; handOver++) {
        const before = await set.stepDown()

        await refreshing.goOn(30)
        assert.notEqual((await set.primary()).port, before.port)
      }

      await assertLive()
      return '2 hand-overs'
    }))

  it('loses no session when the primary is killed', (t: TestContext) =>
    assertUnharmed(refreshing, t, async () => {
      const primary = await set.primary()

      await primary.kill()
      await refreshing.goOn(30)
      await primary.restart()

      await assertLive()
      return '1 primary killed'
    }))

  it('loses no session when the primary freezes, and returns after it was replaced', (t: TestContext) =>
    assertUnharmed(refreshing, t, async () => {
      const primary = await set.primary()

      primary.freeze()

      try {
        await refreshing.goOn(30)
      } finally {
        primary.thaw()
      }

      await assertLive()
      return '1 primary frozen'
    }))

  it('is 503 without a majority, and recovers by itself when there is one', (t: TestContext) =>
    assertUnharmed(refreshing, t, async () => {
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

      return '2 of 3 members killed'
    }))

  it('leaves every client signed in', async () => {
    await refreshing.stop()
    await refreshing.refreshOnceMore()
    assert.deepEqual(refreshing.lost, [])
  })
})
