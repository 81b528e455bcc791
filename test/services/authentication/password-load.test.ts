import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { checkedConfiguration, readConfiguration } from '../../../src/configuration.js'
import { ConfigurationError } from '../../../src/refresh-token/index.js'
import { costlyHashes, merge, startApp, type TestApp } from '../../support/app.js'
import { newPerson, type Person } from '../../support/people.js'
import { atOnce, password, restClient, type Answer, type RestClient } from '../../support/rest.js'
import { socketsOf } from '../../support/live.js'

const wrong = { password: 'wrong horse battery' }

describe('when more passwords arrive than can be hashed', () => {
  let t: TestApp
  let client: RestClient
  let ada: Person

  before(async () => {
    // So slow that all the others arrive while the first is hashed
    t = await startApp({
      settings: { passwords: { ...costlyHashes, timeCost: 20, concurrency: 1, queue: 4 } }
    })
    client = restClient(t.address)
    ada = await newPerson(t)
  })
  after(() => t.stop())

  const signUp = () =>
    client.ask('POST', '/users', { body: { email: `${randomUUID()}@crowd.example.com`, password } })

  const withStatus = (answers: Answer[], status: number) =>
    answers.filter((answer) => answer.status === status)

  function assertTurnedAway(answers: Answer[]) {
    for (const { status, headers, body } of answers) {
      assert.equal(status, 503)
      assert.equal(body.name, 'Unavailable')
      assert.equal(headers.get('Retry-After'), '2')
      assert.equal(headers.get('Cache-Control'), 'no-store')
      assert.deepEqual(body.data, { retryAfter: 2 })
    }
  }

  for (const [what, call, success] of [
    ['sign-ins', () => client.signIn(ada.email), 201],
    ['sign-ins with a wrong password', () => client.signIn(ada.email, wrong), 401],
    ['sign-ins of nobody', () => client.signIn('nobody@example.com', wrong), 401]
  ] as const) {
    it(`some ${what} wait, and the rest are told when to come again`, async () => {
      const answers = await atOnce(20, call)
      const answered = withStatus(answers, success)
      const turnedAway = withStatus(answers, 503)

      assert.equal(answered.length + turnedAway.length, 20)
      assert.ok(answered.length >= 5, `${answered.length} were answered`)
      assert.ok(turnedAway.length > 0)
      assertTurnedAway(turnedAway)
    })
  }

  it('refused sign-ups leave nothing behind', async () => {
    const answers = await atOnce(20, signUp)
    const turnedAway = withStatus(answers, 503)
    const made = await t.db.collection('users').countDocuments({ email: /@crowd\.example\.com$/ })

    assert.equal(made, withStatus(answers, 201).length)
    assert.equal(made + turnedAway.length, 20)
    assert.ok(turnedAway.length > 0)
    assertTurnedAway(turnedAway)
  })

  it('requests without a password are served at once', async () => {
    const crowd = atOnce(20, () => client.signIn(ada.email))

    assert.equal((await client.refresh(ada.refreshToken)).status, 201)
    assert.equal((await client.ask('GET', '/health')).status, 200)
    await crowd
  })

  it('sockets are told the same', async () => {
    const sockets = socketsOf(() => t.address)
    // One socket has only so many calls under way
    const all = await atOnce(20, () => sockets.anonymous())
    const request = { strategy: 'local', email: ada.email, password }
    const outcomes = await Promise.allSettled(
      all.map((socket) => socket.call('create', 'authentication', request))
    )
    const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))

    sockets.closeAll()
    assert.ok(errors.length > 0 && errors.length <= 15)
    for (const { code, data } of errors) {
      assert.deepEqual({ code, data }, { code: 503, data: { retryAfter: 2 } })
    }
  })

  it('all are served again once the load is over', async () => {
    assert.equal((await client.signIn(ada.email)).status, 201)
  })
})

describe('a sign-in of an unknown email', () => {
  it('takes as long as a wrong password, at the configured cost', async () => {
    const t = await startApp({ settings: { passwords: { ...costlyHashes, timeCost: 12 } } })
    const client = restClient(t.address)
    const { email } = await client.signUp()
    const times = { unknown: [] as number[], known: [] as number[] }

    for (let call = 0; call <= 11; call++) {
      times.unknown.push(await duration(() => client.signIn('nobody@example.com', wrong)))
      times.known.push(await duration(() => client.signIn(email, wrong)))
    }
    await t.stop()

    const ratio = median(times.unknown) / median(times.known)

    assert.ok(ratio > 0.5 && ratio < 2, `the ratio is ${ratio}`)
  })
})

async function duration(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now()

  await call()
  return performance.now() - start
}

const median = (times: number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1]!

describe('the settings in passwords', () => {
  const mistakes: [object, string][] = [
    [{ memoryCost: 1024 }, 'passwords.memoryCost is 1024: write how many KiB of memory one hash takes'],
    [{ timeCost: 0 }, 'passwords.timeCost is 0: write how many passes one hash makes'],
    [{ parallelism: 1.5 }, 'passwords.parallelism is 1.5: write how many lanes one hash has'],
    [{ concurrency: '2' }, 'passwords.concurrency is "2": write how many passwords are hashed at once'],
    [{ queue: -1 }, 'passwords.queue is -1: write how many requests may wait for that'],
    [{ pepper: 'x' }, 'passwords.pepper is not a known setting: remove it']
  ]

  for (const [passwords, sentence] of mistakes) {
    it(`are refused in a sentence that says what to write: ${JSON.stringify(passwords)}`, () => {
      const settings = merge(readConfiguration(), { passwords })

      assert.throws(
        () => checkedConfiguration(settings),
        (error) => error instanceof ConfigurationError && error.message.startsWith(sentence)
      )
    })
  }
})
