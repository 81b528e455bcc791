import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { Application } from '../../src/declarations.js'
import { ObjectId } from 'mongodb'
import { ApiKeyStrategy, createApiKey } from '../support/api-key-strategy.js'
import { merge, startApp, withApp, type TestApp } from '../support/app.js'
import { atOnce, password, restClient, tally, type Answer, type RestClient } from '../support/rest.js'
import { rounds } from '../support/race.js'
import { connect, type TestSocket } from '../support/socket.js'
import { limited } from './limits.js'

const window = 15 * 60 // s
const settings = limited({ account: { limit: 5, per: `${window}s` } })
const wrong = { password: 'not the password' }

describe('the limit of sign-ins by account', () => {
  let t: TestApp
  let client: RestClient
  let socket: TestSocket
  let email: string

  before(async () => {
    t = await startApp({ settings })
    client = restClient(t.address)
    socket = await connect(t.address)
  })

  after(async () => {
    socket.close()
    await t.stop()
  })

  const newEmail = async () => (await client.signUp()).email as string
  const guess = (name = email) => client.signIn(name, wrong)
  const guessTimes = async (times: number, name = email) => {
    for (let time = 0; time < times; time++) {
      assert.equal((await guess(name)).status, 401)
    }
  }
  const overSocket = (request: object) =>
    socket.call('create', 'authentication', { strategy: 'local', email, ...request }).then(
      (): { code: number; data?: { retryAfter?: number } } => ({ code: 201 }),
      (error) => error
    )

  function refused({ status, headers, body }: Answer): void {
    assert.equal(status, 429)
    assert.equal(body.name, 'TooManyRequests')
    assert.deepEqual(Object.keys(body.data), ['retryAfter'])
    assert.ok(Number.isInteger(body.data.retryAfter))
    assert.ok(body.data.retryAfter > window - 60 && body.data.retryAfter <= window)
    assert.equal(headers.get('Retry-After'), String(body.data.retryAfter))
  }

  it('answers 429 with Retry-After after too many failures, to a correct password too', async () => {
    email = await newEmail()
    await guessTimes(5)

    const wrongly = await guess()
    const rightly = await client.signIn(email)

    refused(wrongly)
    refused(rightly)
    assert.deepEqual({ ...wrongly.body, data: 0 }, { ...rightly.body, data: 0 })
  })

  it('answers the same for an account that does not exist', async () => {
    email = await newEmail()
    const unknown = `${randomUUID()}@example.com`

    for (let time = 0; time < 7; time++) {
      const [known, nobody] = await Promise.all([guess(), guess(unknown)])

      assert.equal(known.status, time < 5 ? 401 : 429)
      assert.equal(known.status, nobody.status)
      assert.deepEqual({ ...known.body, data: 0 }, { ...nobody.body, data: 0 })
    }
  })

  it('counts sockets and REST together, and tells a socket when to try again', async () => {
    email = await newEmail()
    await guessTimes(3)
    assert.equal((await overSocket(wrong)).code, 401)
    assert.equal((await overSocket(wrong)).code, 401)

    const refusal = await overSocket({ password })

    assert.equal(refusal.code, 429)
    assert.ok(refusal.data!.retryAfter! > window - 60)
    refused(await client.signIn(email))
  })

  it('counts the sign-ins of all instances together', async () => {
    email = await newEmail()

    await withApp({ settings, database: t.db.databaseName }, async (other) => {
      await guessTimes(4)
      assert.equal((await restClient(other.address).signIn(email, wrong)).status, 401)
      refused(await restClient(other.address).signIn(email))
      refused(await guess())
    })
  })

  it('starts again after a sign-in', async () => {
    email = await newEmail()

    await guessTimes(4)
    assert.equal((await client.signIn(email)).status, 201)
    await guessTimes(4)
    assert.equal((await overSocket({ password })).code, 201)
    await guessTimes(5)
    refused(await guess())
  })

  it('does not affect other accounts, refreshes and live sessions', async () => {
    email = await newEmail()
    const { accessToken, refreshToken } = (await client.signIn(email)).body

    await guessTimes(5)
    refused(await guess())

    assert.equal((await client.refresh(refreshToken)).status, 201)
    assert.equal((await client.ask('GET', '/sessions', { token: accessToken })).status, 200)
    assert.equal((await client.authenticate({ strategy: 'jwt', accessToken })).status, 201)
    assert.equal((await client.signIn(await newEmail())).status, 201)
  })

  it('allows no more guesses when fifty come at once', () =>
    rounds(async () => {
      email = await newEmail()

      assert.deepEqual(tally(await atOnce(50, () => guess())), { '401': 5, '429': 45 })
      refused(await client.signIn(email))
    }))

  it('never reveals a right password beyond the limit', () =>
    rounds(async () => {
      email = await newEmail()
      await guessTimes(5)

      assert.deepEqual(tally(await atOnce(50, (index) => (index % 2 ? guess() : client.signIn(email)))), {
        '429': 50
      })
    }))

  it('refuses none of fifty right passwords at once', () =>
    rounds(async () => {
      email = await newEmail()

      assert.deepEqual(tally(await atOnce(50, () => client.signIn(email))), { '201': 50 })
    }, 2))

  it('counts all names of an account as one', async () => {
    const local = randomUUID().slice(0, 8)
    const names = [
      `Straße-${local}@example.com`,
      `STRASSE-${local}@example.com`,
      `strasse-${local}@EXAMPLE.com`,
      `ｓｔｒａｓｓｅ-${local}@example.com`,
      `st\u00adrasse-${local}@example.com`, // a soft hyphen
      `stra\u200dsse-${local}@example.com`, // a joiner that is not seen
      `\u0000strasse-${local}@example.com`,
      `ﬆrasse-${local}@example.com` // a ligature
    ]
    await client.signUp({ email: `strasse-${local}@example.com` })

    email = `strasse-${local}@example.com`
    await guessTimes(5)

    for (const name of names) {
      // Either it is this account, and locked, or it is nobody's name
      assert.match(String((await client.signIn(name)).status), /429|401/, name)
    }
    assert.deepEqual(
      (await Promise.all(names.slice(1, 4).map((name) => client.signIn(name)))).map(({ status }) => status),
      [429, 429, 429]
    )
  })

  it('does not count requests that prove nothing about a password', async () => {
    email = await newEmail()
    await guessTimes(4)

    for (let time = 0; time < 10; time++) {
      assert.equal((await client.authenticate({ strategy: 'local', email })).status, 400)
      assert.equal((await client.signIn(email, { password: 12345678 })).status, 400)
      assert.equal((await client.authenticate({ strategy: 'nonsense', email, password })).status, 401)
      assert.equal((await client.authenticate({ strategy: 'jwt', accessToken: 'x' })).status, 401)
    }

    assert.equal((await client.signIn(email)).status, 201)
  })

  it('refuses anything that is sent, and never fails with a 500', async () => {
    const nonsense = [
      {},
      { strategy: '__proto__' },
      { strategy: ['local'] },
      { strategy: 'local', email: {} }
    ]

    for (const body of nonsense) {
      assert.match(String((await client.authenticate(body)).status), /40[01]/)
    }
  })

  it('stores neither names nor addresses, and nothing forever', async () => {
    const email = `${randomUUID()}@example.com`

    await client.signIn(email, wrong)

    const counts = await t.db.collection('rateLimits').find().toArray()
    const indexes = await t.db.collection('rateLimits').indexes()

    assert.ok(counts.length > 0)
    assert.ok(counts.every(({ expire }) => expire instanceof Date))
    assert.ok(!/example|127\.0\.0\.1|::/.test(JSON.stringify(counts)))
    assert.ok(indexes.some(({ expireAfterSeconds }) => expireAfterSeconds === 0))
  })

  it('counts wrong guesses of the current password, for the account alone', async () => {
    email = await newEmail()
    const { accessToken: token, user } = (await client.signIn(email)).body
    const change = (currentPassword: string) =>
      client.ask('PATCH', `/users/${user._id}`, {
        token,
        body: { email: `new-${email}`, currentPassword }
      })

    const guesses = await atOnce(20, () => change('not the password'))

    assert.deepEqual(tally(guesses), { '403': 5, '429': 15 })
    assert.equal((await change(password)).status, 429)
    assert.equal((await client.signIn(email)).status, 201)
  })

  it('counts those of each session apart, so that nobody keeps the user from a change or a step-up', async () => {
    email = await newEmail()
    const [thief, ada] = [(await client.signIn(email)).body, (await client.signIn(email)).body]
    const change = ({ accessToken: token, user }: typeof ada, currentPassword: string) =>
      client.ask('PATCH', `/users/${user._id}`, { token, body: { email: `new-${email}`, currentPassword } })
    const stepUp = ({ accessToken: token }: typeof ada, guess: string) =>
      client.ask('POST', '/authentication', {
        token,
        body: { strategy: 'local', email, password: guess, stepUp: true }
      })

    for (const guess of [change, stepUp]) {
      assert.deepEqual(tally(await atOnce(8, () => guess(thief, 'not the password'))), {
        [guess === change ? '403' : '401']: 5,
        '429': 3
      })
      assert.equal((await guess(thief, password)).status, 429)
    }

    // Nor does a stranger, who doesn't know the password either
    assert.equal((await client.signIn(email)).status, 201)
    await atOnce(8, () => client.signIn(email, { password: 'not the password' }))
    assert.equal((await client.signIn(email)).status, 429)
    assert.equal((await stepUp(ada, password)).status, 201)
    assert.equal((await change(ada, password)).status, 200)

    // The password of another account counts for that
    const other = await newEmail()
    const foreign = () =>
      client.ask('POST', '/authentication', {
        token: ada.accessToken,
        body: { strategy: 'local', email: other, password: 'not the password', stepUp: true }
      })

    assert.deepEqual(tally(await atOnce(8, foreign)), { '401 invalid': 5, '429': 3 })
    assert.equal((await client.signIn(other)).status, 429)
  })

  it('keeps the count of wrong guesses after a change that needs no password', async () => {
    email = await newEmail()
    const { accessToken: token, user } = (await client.signIn(email)).body
    const other = await client.signUp()
    const patch = (id: string, body: object) => client.ask('PATCH', `/users/${id}`, { token, body })
    const guess = () => patch(user._id, { email: `new-${email}`, currentPassword: 'not the password' })

    // An admin changes others' without it
    await t.app.service('users').patch(user._id, { roles: ['admin'] })

    for (let time = 0; time < 5; time++) {
      assert.equal((await guess()).status, 403)
      assert.equal((await patch(user._id, { name: 'Ada', currentPassword: 'any' })).status, 200)
      assert.equal(
        (await patch(other._id, { email: `new-${other.email}`, currentPassword: 'any' })).status,
        200
      )
    }

    assert.equal((await guess()).status, 429)
    assert.equal((await patch(user._id, { name: 'Ada', currentPassword: 'any' })).status, 200)
  })
})

describe('a sign-in by another strategy', () => {
  const options = {
    settings: merge(settings, {
      authentication: {
        authStrategies: ['jwt', 'local', 'refresh-token', 'api-key'],
        parseStrategies: ['jwt'],
        'api-key': { header: 'x-api-key' }
      }
    }),
    configure: (app: Application) => app.service('authentication').register('api-key', new ApiKeyStrategy())
  }

  it('clears only the count of the user that it signs in', () =>
    withApp(options, async (t) => {
      const client = restClient(t.address)
      const [mallory, ada] = [await client.signUp(), await client.signUp()]
      const apiKey = await createApiKey(t.app, new ObjectId(mallory._id as string))
      const withKey = (email: string) => client.authenticate({ strategy: 'api-key', apiKey, email })

      for (let time = 0; time < 4; time++) {
        assert.equal((await client.signIn(ada.email, wrong)).status, 401)
        assert.equal((await client.signIn(mallory.email, wrong)).status, 401)
        assert.equal((await withKey(ada.email)).status, 201)
      }

      assert.equal((await withKey(mallory.email)).status, 201)
      assert.deepEqual(
        tally(await atOnce(5, () => client.signIn(mallory.email, wrong))),
        { '401': 5 },
        'her own is cleared'
      )
      assert.equal((await client.signIn(ada.email, wrong)).status, 401)
      assert.equal((await client.signIn(ada.email, wrong)).status, 429)
    }))
})

describe('a locked account', () => {
  it('unlocks when its time is over, and not before, even if attempts go on', () =>
    withApp({ settings: limited({ account: { limit: 3, per: '2s' } }) }, async (t) => {
      const client = restClient(t.address)
      const { email } = await client.signUp()
      const start = Date.now()
      let answer: Answer

      do {
        answer = await client.signIn(email, wrong)
      } while (answer.status === 401)

      while (answer.status === 429) {
        await new Promise((resolve) => setTimeout(resolve, 50))
        answer = await client.signIn(email)
      }

      assert.equal(answer.status, 201)
      assert.ok(Date.now() - start > 1500 && Date.now() - start < 4000)
    }))
})

describe('rateLimit', () => {
  it('limits nothing if it is false', () =>
    withApp({ settings: { rateLimit: false } }, async (t) => {
      const client = restClient(t.address)
      const { email } = await client.signUp()

      assert.deepEqual(tally(await atOnce(20, () => client.signIn(email, wrong))), { '401': 20 })
      assert.equal(await t.db.collection('rateLimits').countDocuments(), 0)
    }))

  it('keeps the other limits if one is false', () =>
    withApp(
      {
        settings: {
          rateLimit: {
            signIn: false,
            signUp: { address: { limit: 1, per: '1m' } },
            refresh: { address: false }
          }
        }
      },
      async (t) => {
        const client = restClient(t.address)
        const { email } = await client.signUp()

        assert.deepEqual(tally(await atOnce(20, () => client.signIn(email, wrong))), { '401': 20 })
        assert.equal(
          (await client.ask('POST', '/users', { body: { email: 'x@x.org', password } })).status,
          429
        )
      }
    ))
})
