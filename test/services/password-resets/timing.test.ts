import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { mailTo, startMailbox, type Mailbox } from '../../support/mailbox.js'
import { restClient, type RestClient } from '../../support/rest.js'

const requests = 500 // of each kind, in random order
const signUps = 200 // each is answered at a fixed time, which takes long

// A difference this large comes up by chance once in 15,000 runs
const significant = 4

/** Mann-Whitney's U of two samples, in standard deviations from what equal distributions would give. */
function rankDifference(a: number[], b: number[]): number {
  const all = [...a.map((time) => ({ time, isA: true })), ...b.map((time) => ({ time, isA: false }))]
  const ranks = all.toSorted((one, other) => one.time - other.time)
  const sum = ranks.reduce((total, { isA }, index) => (isA ? total + index + 1 : total), 0)
  const u = sum - (a.length * (a.length + 1)) / 2
  const mean = (a.length * b.length) / 2
  const deviation = Math.sqrt((a.length * b.length * (a.length + b.length + 1)) / 12)

  return (u - mean) / deviation
}

describe('the time that an answer takes', () => {
  let mailbox: Mailbox
  let t: TestApp
  let client: RestClient
  let email: string

  before(async () => {
    mailbox = await startMailbox()
    t = await startApp({
      settings: mailTo(mailbox, {
        accounts: { url: 'https://app.example.com/', verified: 'sign-in' },
        authentication: { authStrategies: ['jwt', 'local', 'refresh-token', 'email-code'] }
      })
    })
    client = restClient(t.address)
    email = (await client.signUp()).email
    await mailbox.next(email)
  })
  after(async () => {
    await t.stop()
    await mailbox.close()
  })

  async function compare(
    known: () => Promise<unknown>,
    unknown: () => Promise<unknown>,
    count = requests
  ): Promise<number> {
    const times = { known: [] as number[], unknown: [] as number[] }

    for (let round = 0; round < 20; round++) {
      await known()
      await unknown()
    }

    while (times.known.length < count || times.unknown.length < count) {
      const isKnown = Math.random() < 0.5
      const start = performance.now()

      await (isKnown ? known() : unknown())
      times[isKnown ? 'known' : 'unknown'].push(performance.now() - start)
    }

    return rankDifference(times.known, times.unknown)
  }

  const nobody = () => `${randomUUID()}@example.com`

  for (const path of ['/password-resets', '/email-verifications', '/sign-in-codes']) {
    it(`does not reveal whether there is an account: POST ${path}`, async () => {
      const ask = (email: string) => client.ask('POST', path, { body: { email } })
      const difference = await compare(
        () => ask(email),
        () => ask(nobody())
      )

      assert.ok(Math.abs(difference) < significant, `they differ by ${difference} standard deviations`)
    })
  }

  it('does not reveal it at a sign-up either', async () => {
    const signUp = (email: string) =>
      client.ask('POST', '/users', { body: { email, password: 'correct horse battery' } })
    const difference = await compare(
      () => signUp(email),
      () => signUp(nobody()),
      signUps
    )

    assert.ok(Math.abs(difference) < significant, `they differ by ${difference} standard deviations`)
  })

  it('would reveal it by a millisecond', () => {
    const sample = () => Array.from({ length: requests }, () => 5 + Math.random() * 10)
    const [one, other] = [sample(), sample()]

    assert.ok(Math.abs(rankDifference(one, other)) < 5)
    assert.ok(
      Math.abs(
        rankDifference(
          one,
          other.map((time) => time + 1)
        )
      ) > significant
    )
  })
})
