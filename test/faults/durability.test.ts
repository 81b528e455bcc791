import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import { startApp, type TestApp } from '../support/app.js'
import { startBreakableMongod, type BreakableMongod } from '../support/breakable-mongod.js'
import { newPerson, type Person } from '../support/people.js'
import { rounds } from '../support/race.js'
import { atOnce, restClient, type Answer, type RestClient } from '../support/rest.js'
import { poll } from '../support/socket.js'

describe('a database that fails in the midst of requests', () => {
  let mongod: BreakableMongod
  let t: TestApp
  let client: RestClient

  before(async () => {
    mongod = await startBreakableMongod()
    process.env.MONGODB_URL = mongod.url
    t = await startApp()
    client = restClient(t.address)
  })
  after(async () => {
    await t?.stop()
    await mongod.remove()
  })

  const isBack = () =>
    poll(async () => (await client.ask('GET', '/health')).status === 200, 'the database to be back', 30_000)

  /** Refreshes on and on, until an answer is none: the last refresh token that was received, and that answer. */
  async function refreshUntilRefused({ refreshToken }: Person): Promise<{ kept: string; last: Answer }> {
    for (let kept = refreshToken, attempt = 0; ; attempt++) {
      const last = await client.refresh(kept, { idempotencyKey: `attempt-${attempt}` })

      if (last.status !== 201) {
        return { kept, last }
      }

      kept = last.body.refreshToken
    }
  }

  it('takes back no rotation that was answered, and turns none into a reuse', async () => {
    await rounds(async (round) => {
      const people = await atOnce(20, () => newPerson(t))
      const refreshing = people.map(refreshUntilRefused)

      await later(50 * round)
      await mongod.kill()

      const outcomes = await Promise.all(refreshing)

      await mongod.restart()
      await isBack()

      for (const { kept, last } of outcomes) {
        assert.equal(last.status, 503)

        // The refresh that failed may have happened all the same: what was received is good in either case
        const { status, body } = await client.refresh(kept)

        assert.equal(status, 201, JSON.stringify(body))
        assert.equal((await client.refresh(body.refreshToken)).status, 201)
      }
    })
  })

  it('takes back no end of a session that was answered', async () => {
    await rounds(async (round) => {
      const people = await atOnce(20, () => newPerson(t))
      const ending = people.map(async (person, index) => {
        await later(index * 5)
        return { person, answer: await person.ask('DELETE', '/authentication') }
      })

      await later(20 * round)
      await mongod.kill()

      const outcomes = await Promise.all(ending)

      await mongod.restart()
      await isBack()

      for (const { person, answer } of outcomes) {
        const { status, body } = await person.ask('GET', '/sessions')

        if (answer.status === 200) {
          assert.equal(body.data?.reason, 'revoked')
        } else {
          assert.equal(answer.status, 503)
          assert.ok(status === 200 || body.data?.reason === 'revoked')
        }
      }
    })
  })
})
