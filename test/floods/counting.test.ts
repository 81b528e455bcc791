import assert from 'node:assert/strict'
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { setTimeout as later } from 'node:timers/promises'
import { RateLimit } from '../../src/rate-limits/rate-limit.js'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { callsOf } from '../support/database-calls.js'
import { atOnce, restClient, tally, type RestClient } from '../support/rest.js'
import { poll } from '../support/socket.js'
import { limited } from './limits.js'

const settings = limited({ account: { limit: 5, per: '15m' } })
const wrong = { password: 'not the password' }

describe('counting a sign-in', () => {
  let t: TestApp
  let client: RestClient

  before(async () => {
    t = await startApp({ settings })
    client = restClient(t.address)
    await client.newLogin() // takes the share of the address
  })

  after(() => t.stop())

  const counts = () => t.db.collection('rateLimits')
  const ofAccounts = { key: /^signIn\.account/ }
  const allGivenBack = () =>
    poll(async () => (await counts().countDocuments(ofAccounts)) === 0, 'the counts to be given back')
  const callsOnCounts = async (work: () => Promise<unknown>) =>
    (await callsOf(t, work)).filter((call) => call.endsWith('rateLimits'))

  it('takes one write, and the counts of many are given back together', async () => {
    const emails = await atOnce(5, async () => (await client.signUp()).email)

    await allGivenBack()

    const calls = await callsOnCounts(async () => {
      assert.deepEqual(tally(await atOnce(5, (index) => client.signIn(emails[index]))), { '201': 5 })
    })

    assert.deepEqual(
      calls,
      emails.map(() => 'findAndModify rateLimits')
    )
    assert.equal(await counts().countDocuments(ofAccounts), 5)
    await allGivenBack()
  })

  it('takes none when the account has just signed in here', async () => {
    const { email } = await client.signUp()

    await client.signIn(email)

    const calls = await callsOnCounts(async () => {
      for (let time = 0; time < 3; time++) {
        assert.equal((await client.signIn(email)).status, 201)
      }
    })

    // A slow machine may have given it back meanwhile
    assert.ok(calls.length < 3, calls.join())
  })

  it('counts the failures that follow a sign-in, the first too', async () => {
    const { email } = await client.signUp()

    assert.equal((await client.signIn(email)).status, 201)
    assert.deepEqual(tally(await atOnce(8, () => client.signIn(email, wrong))), { '401': 5, '429': 3 })
    await later(1500)
    assert.equal((await client.signIn(email)).status, 429)
  })

  it('keeps what was counted elsewhere before it is given back', () =>
    withApp({ settings, database: t.db.databaseName }, async (other) => {
      const elsewhere = restClient(other.address)
      const { email } = await client.signUp()

      assert.equal((await client.signIn(email)).status, 201)
      assert.deepEqual(tally(await atOnce(2, () => elsewhere.signIn(email, wrong))), { '401': 2 })
      await later(1500)
      assert.deepEqual(tally(await atOnce(5, () => elsewhere.signIn(email, wrong))), { '401': 3, '429': 2 })
      assert.equal((await client.signIn(email)).status, 429)
    }))
})

describe('a limit whose attempts are counted several at once', () => {
  const key = createSecretKey(randomBytes(32))
  let t: TestApp

  before(async () => {
    t = await startApp()
  })

  after(() => t.stop())

  const limitOf = (name: string) =>
    new RateLimit(name, {
      ...{ limit: 50, per: '1m', share: 7, key },
      database: t.app.get('database'),
      blockInMemory: true
    })
  const takeAll = async (limits: RateLimit[], times: number, value = 'an address') =>
    (
      await Promise.allSettled(
        Array.from({ length: times }, (_, index) => limits[index % limits.length]!.take(value))
      )
    ).filter(({ status }) => status === 'fulfilled').length

  it('allows as many as the limit, to the last one', async () => {
    const limit = limitOf(randomUUID())

    assert.equal(await takeAll([limit], 20), 20)
    assert.equal(await takeAll([limit], 100), 30)
    assert.equal(await takeAll([limit], 100, 'another address'), 50)
  })

  it('allows no more on several instances, and no less than what they have not used', async () => {
    const name = randomUUID()
    const instances = [limitOf(name), limitOf(name), limitOf(name)]

    assert.equal(await takeAll(instances, 300), 50)
  })

  it('takes a write for as many', async () => {
    const limit = limitOf(randomUUID())
    const calls = await callsOf(t, () => takeAll([limit], 21))

    assert.deepEqual(
      calls.filter((call) => call.endsWith('rateLimits')),
      ['findAndModify rateLimits', 'findAndModify rateLimits', 'findAndModify rateLimits']
    )
  })

  it('begins anew when its time is over', async () => {
    const limit = new RateLimit(randomUUID(), {
      ...{ limit: 4, per: '1s', share: 3, key },
      database: t.app.get('database')
    })

    assert.equal(await takeAll([limit], 10), 4)
    await later(1100)
    assert.equal(await takeAll([limit], 10), 4)
  })
})
