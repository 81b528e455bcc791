import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { costlyHashes, startApp, type TestApp } from '../../support/app.js'
import { restClient, type RestClient } from '../../support/rest.js'

const calls = 21 // of each kind, taking turns: an odd number has a median

describe('a sign-in that fails', () => {
  let t: TestApp
  let client: RestClient
  let email: string
  let disabled: string

  before(async () => {
    t = await startApp({ settings: { passwords: costlyHashes } })
    client = restClient(t.address)
    email = (await client.signUp()).email
    const user = await client.signUp()

    disabled = user.email
    await t.app.service('users').patch(user._id, { disabled: true })
  })
  after(() => t.stop())

  /** The median of how long each of several calls takes, in ms. */
  async function medians(asks: (() => Promise<unknown>)[]): Promise<number[]> {
    const times: number[][] = asks.map(() => [])

    for (let call = 0; call <= calls; call++) {
      for (const [index, ask] of asks.entries()) {
        const start = performance.now()

        await ask()

        // The first one warms up
        if (call > 0) {
          times[index]!.push(performance.now() - start)
        }
      }
    }

    return times.map((list) => list.toSorted((a, b) => a - b)[(calls - 1) / 2]!)
  }

  it('takes the same time whether the email is unknown or the password wrong', async () => {
    const wrong = { password: 'wrong horse battery' }
    const [unknown, known, locked] = await medians([
      () => client.signIn('nobody@example.com', wrong),
      () => client.signIn(email, wrong),
      () => client.signIn(disabled, wrong)
    ])

    for (const ratio of [unknown! / known!, locked! / known!]) {
      assert.ok(ratio > 0.5 && ratio < 2, `the medians are ${unknown}, ${known} and ${locked} ms`)
    }
  })
})
