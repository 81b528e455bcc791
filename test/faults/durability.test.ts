import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import type { TestApp } from '../support/app.js'
import { startAppOnBreakable, type AppOnBreakable } from '../support/breakable-mongod.js'
import { newPerson } from '../support/people.js'
import { rounds } from '../support/race.js'
import { atOnce, restClient, type Answer, type RestClient } from '../support/rest.js'
import { poll } from '../support/socket.js'

describe('a database that is killed during requests', () => {
  let own: AppOnBreakable
  let mongod: AppOnBreakable['mongod']
  let t: TestApp
  let client: RestClient

  before(async () => {
    own = await startAppOnBreakable()
    ;({ mongod, t } = own)
    client = restClient(t.address)
  })
  after(() => own?.end())

  const isBack = async () => (await client.ask('GET', '/health')).status === 200

  /** Refreshes on and on, until an answer is none: the refresh token that was received last, and that answer. */
  async function refreshUntilRefused(refreshToken: string): Promise<{ kept: string; last: Answer }> {
    for (let kept = refreshToken, attempt = 0; ; attempt++) {
      const last = await client.refresh(kept, { idempotencyKey: `attempt-${attempt}` })

      if (last.status !== 201) {
        return { kept, last }
      }

      kept = last.body.refreshToken
    }
  }

  it('loses nothing that was confirmed, and turns no refresh into a reuse', async () => {
    const people = await atOnce(20, () => newPerson(t))
    let tokens = people.map(({ refreshToken }) => refreshToken)

    await rounds(async (round) => {
      const logins = await Promise.all(people.map((person) => person.signIn()))
      const refreshing = tokens.map(refreshUntilRefused)
      const ending = logins.map(async ({ accessToken: token }, index) => {
        await later(index * 5)
        return client.ask('DELETE', '/authentication', { token })
      })

      await later(20 * round)
      await (round % 2 ? mongod.kill() : mongod.shutDown())

      const refreshed = await Promise.all(refreshing)
      const ended = await Promise.all(ending)

      await mongod.restart()
      await poll(isBack, 'the database to be back', 30_000)

      // Never 401, and no 500
      assert.deepEqual([...new Set(refreshed.map(({ last }) => last.status))], [503])
      assert.deepEqual(
        ended.map(({ status }) => status).filter((status) => status !== 200 && status !== 503),
        []
      )

      for (const [index, { status }] of ended.entries()) {
        const { body } = await client.ask('GET', '/sessions', { token: logins[index].accessToken })

        assert.ok(status === 503 || body.data?.reason === 'revoked')
      }

      // A refresh that failed may have happened all the same: what was received is good in either case
      tokens = await Promise.all(
        refreshed.map(async ({ kept }) => {
          const { body: first } = await client.refresh(kept)
          const { status, body: second } = await client.refresh(first.refreshToken)

          assert.equal(status, 201, JSON.stringify(first))
          return second.refreshToken
        })
      )
    })
  })
})
