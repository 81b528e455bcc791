import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import { costlyHashes, withApp } from '../support/app.js'
import { atOnce, password, restClient, tally, type Answer } from '../support/rest.js'
import { from } from './limits.js'

// One hash at a time and so slow that the flood always has more waiting than there is room for
const settings = { proxies: 1, passwords: { ...costlyHashes, timeCost: 6, concurrency: 1, queue: 40 } }
const wrong = 'wrong horse battery'

describe('a flood of sign-ins and sign-ups from four addresses', () => {
  it('does not refuse the sign-ins of others, nor delay them by more than four other sign-ins would', () =>
    withApp({ settings }, async ({ address }) => {
      const client = restClient(address)
      const [{ email }, hash] = await Promise.all([
        client.signUp(),
        timeOf(() => client.signIn('x@example.com'))
      ])
      const signIn = (ip: string, body: object) =>
        client.ask('POST', '/authentication', {
          headers: from(ip),
          body: { strategy: 'local', email, password, ...body }
        })
      let isOver = false
      const floods: Answer[] = []

      const flood = async (network: number, index: number) => {
        while (!isOver) {
          const ip = `2001:db8:0:${network}::${index}`
          const answer = await (index % 2
            ? signIn(ip, { password: wrong, email: `${randomUUID()}@example.com` })
            : client.ask('POST', '/users', {
                headers: from(ip),
                body: { email: `${randomUUID()}@example.com`, password }
              }))

          floods.push(answer)
          await later(500) // more would be a flood of the loop, not of hashes
        }
      }
      const flooding = [1, 2, 3, 4].flatMap((network) =>
        Array.from({ length: 15 }, (_, index) => flood(network, index))
      )
      const times: number[] = []

      for (let index = 0; index < 20; index++) {
        times.push(
          await timeOf(async () => {
            const answer = await signIn(`192.0.2.${index}`, {})

            assert.equal(answer.status, 201, JSON.stringify(answer.body))
          })
        )
      }

      isOver = true
      await Promise.all(flooding)

      const p95 = times.toSorted((a, b) => a - b)[18]!

      assert.ok(tally(floods)['503']! > 0, 'the flood was no flood')
      // Its own hash, those of four others, one that runs, and what the flood costs besides
      assert.ok(p95 < 20 * hash + 1000, `${p95} ms, where a hash takes ${hash} ms`)
    }))

  it('takes no places of clients that have signed in before, from any number of addresses', () =>
    withApp({ settings }, async ({ address }) => {
      const client = restClient(address)
      const { email } = await client.signUp()
      const device = { id: randomUUID() }
      const signIn = (ip: string, body: object) =>
        client.ask('POST', '/authentication', {
          headers: from(ip),
          body: { strategy: 'local', email, password, ...body }
        })

      assert.equal((await signIn('192.0.2.1', { device })).status, 201)

      const flood = atOnce(300, (index) =>
        signIn(`198.51.100.${index % 250}`, { password: wrong, email: `${randomUUID()}@example.com` })
      )
      const [sameAddress, sameDevice] = await Promise.all([
        signIn('192.0.2.1', {}),
        signIn('192.0.2.77', { device })
      ])

      assert.deepEqual([sameAddress.status, sameDevice.status], [201, 201])
      assert.ok(tally(await flood)['503']! > 200)
    }))
})

async function timeOf(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now()

  await call()
  return performance.now() - start
}
