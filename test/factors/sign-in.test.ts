import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { enrol, factorClient, factorSecret, newGuarded, withFactors } from '../support/factors.js'
import { heard, socketsOf } from '../support/live.js'
import { newPerson, stored } from '../support/people.js'
import { rounds } from '../support/race.js'
import { atOnce, outcome, password, restClient, tally } from '../support/rest.js'

const minute = 60_000 // ms

describe('the sign-in of a user with a factor', () => {
  let t: TestApp
  let on: ReturnType<typeof factorClient>
  const sockets = socketsOf(() => t.address)

  before(async () => {
    t = await startApp({ settings: withFactors() })
    on = factorClient(t.address)
  })
  after(async () => {
    sockets.closeAll()
    await t.stop()
  })

  const sessionsOf = async (email: string) => (await stored(t, email)).sessions.length

  it('is asked for the factor, and opens no session until it is given', async () => {
    const { person, app } = await newGuarded(t)
    const before = await sessionsOf(person.email)
    const { status, headers, body } = await on.client.signIn(person.email)

    assert.equal(status, 401)
    assert.deepEqual(Object.keys(body.data), ['reason', 'challenge', 'factors'])
    assert.equal(body.data.reason, 'factor')
    assert.deepEqual(body.data.factors, ['totp', 'recovery-code'])
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(headers.get('www-authenticate'), 'Bearer')
    assert.equal(await sessionsOf(person.email), before)

    const { body: login, ...answer } = await on.totp(body.data.challenge, app.next())

    assert.equal(answer.status, 201)
    assert.deepEqual(Object.keys(login).toSorted(), [
      'accessToken',
      'authentication',
      'refreshToken',
      'session',
      'user'
    ])
    assert.equal(login.session.strategy, 'local')
    assert.deepEqual(login.authentication.payload.amr, ['pwd', 'otp', 'mfa'])
    assert.deepEqual(Object.keys(login.authentication), ['strategy', 'payload'])
    assert.equal(login.user._id, person.id)
    assert.ok(!('factors' in login.user || 'recoveryCodes' in login.user || 'password' in login.user))
    assert.equal(await sessionsOf(person.email), before + 1)

    const refreshed = (await on.client.refresh(login.refreshToken)).body.authentication.payload

    assert.deepEqual(refreshed.amr, ['pwd', 'otp', 'mfa'])
    assert.equal(refreshed.auth_time, login.authentication.payload.auth_time)
  })

  it('leaves the session of the device alive until then', async () => {
    const { person, app } = await newGuarded(t)
    const device = { id: 'phone', name: 'Phone' }
    const first = (await on.totp(await on.challenge(person.email, { device }), app.next(), { device })).body
    const challenge = await on.challenge(person.email, { device })
    const own = { token: first.accessToken }

    assert.deepEqual(first.session.device.name, 'Phone')
    assert.equal((await on.client.ask('GET', '/sessions', own)).status, 200)
    assert.equal((await on.totp(challenge, app.next(), { device })).status, 201)
    assert.equal((await on.client.ask('GET', '/sessions', own)).body.data.reason, 'revoked')
  })

  it('goes the same way over a socket, which stays nobody meanwhile', async () => {
    const { person, app } = await newGuarded(t)
    const socket = await sockets.anonymous()
    const watching = await sockets.ofSession(person)
    const error = await socket
      .call('create', 'authentication', { strategy: 'local', email: person.email, password })
      .catch((error) => error)

    assert.equal(error.data.reason, 'factor')
    await assert.rejects(socket.call('find', 'sessions'))
    await socket.call('create', 'authentication', {
      strategy: 'totp',
      challenge: error.data.challenge,
      code: app.next()
    })
    assert.equal((await socket.call('find', 'sessions')).length, 2)
    assert.equal((await watching.next('sessions created')).strategy, 'local')
    assert.equal(heard(watching, 'sessions created').length, 1)
  })

  it('takes a recovery code, once, in any writing', async () => {
    const { person, recoveryCodes } = await newGuarded(t)
    const [first, second] = recoveryCodes as [string, string]
    const typed = first.replace('-', ' ').toUpperCase()

    assert.equal(recoveryCodes.length, 10)
    assert.equal(new Set(recoveryCodes).size, 10)
    assert.equal((await on.recover(await on.challenge(person.email), typed)).status, 201)

    const challenge = await on.challenge(person.email)

    assert.equal(outcome(await on.recover(challenge, first)), '401 invalid')
    assert.equal((await on.recover(challenge, second)).status, 201)
    assert.equal((await person.ask('GET', '/factors')).body.at(-1).left, 8)
  })

  it('takes a code of the app once, and never the one that added it', async () => {
    const { person, app } = await newGuarded(t)
    const spent = app.code()

    assert.equal(outcome(await on.totp(await on.challenge(person.email), spent)), '401 invalid')

    const next = app.next()

    assert.equal((await on.totp(await on.challenge(person.email), next)).status, 201)

    const challenge = await on.challenge(person.email)

    assert.equal(outcome(await on.totp(challenge, next)), '401 invalid')
    assert.equal(outcome(await on.totp(challenge, spent)), '401 invalid')
    assert.equal((await on.totp(challenge, app.next())).status, 201)
  })

  it('takes codes of a clock that is one step off, and no further', async () => {
    const { person, app } = await newGuarded(t)

    t.clock.advance(5 * minute)

    const challenge = await on.challenge(person.email)

    for (const steps of [-2, 2, 5]) {
      assert.equal(outcome(await on.totp(challenge, app.code(steps))), '401 invalid', String(steps))
    }

    assert.equal((await on.totp(challenge, app.code(-1))).status, 201)
    assert.equal((await on.totp(await on.challenge(person.email), app.code(1))).status, 201)
  })

  it('takes what is no code for a wrong one', async () => {
    const { person } = await newGuarded(t)
    const challenge = await on.challenge(person.email)

    for (const code of ['12345', '1234567', 'abcdef', '١٢٣٤٥٦', '0x1234', ' ']) {
      assert.equal(outcome(await on.totp(challenge, code)), '401 invalid', code)
    }
    for (const code of [undefined, 123456, {}, ['1']]) {
      const { status, body } = await on.totp(challenge, code as string)

      assert.equal(status, 400)
      assert.equal(body.errors[0].field, 'code')
    }
  })

  describe('a challenge', () => {
    it('is good for ten wrong codes; the eleventh is expired', async () => {
      const { person, app } = await newGuarded(t)
      const challenge = await on.challenge(person.email)

      t.clock.advance(minute)

      const wrong = await atOnce(10, () => on.totp(challenge, '000000'))

      assert.deepEqual(tally(wrong), { '401 invalid': 10 })
      assert.equal(outcome(await on.totp(challenge, app.code())), '401 expired')
      assert.equal((await on.totp(await on.challenge(person.email), app.code())).status, 201)
    })

    it('is good once', async () => {
      const { person, app } = await newGuarded(t)
      const challenge = await on.challenge(person.email)

      assert.equal((await on.totp(challenge, app.next())).status, 201)
      assert.equal(outcome(await on.totp(challenge, app.next())), '401 expired')
    })

    it('is good for five minutes', async () => {
      const { person, app } = await newGuarded(t)
      const [one, other] = [await on.challenge(person.email), await on.challenge(person.email)]

      t.clock.advance(5 * minute - 1000)
      assert.equal((await on.totp(one, app.code())).status, 201)
      t.clock.advance(1000)
      assert.equal(outcome(await on.totp(other, app.next())), '401 expired')
    })

    it('is void once the password or a factor has changed', async () => {
      const { person, app, id } = await newGuarded(t)
      const byPassword = await on.challenge(person.email)

      await t.app.service('users').patch(person.id, { password: 'another horse battery' })
      assert.equal(outcome(await on.totp(byPassword, app.next())), '401 expired')

      const other = await newGuarded(t)
      const byFactor = await on.challenge(other.person.email)

      await t.app.get('factors')!.clear(other.person.id)
      assert.equal(outcome(await on.totp(byFactor, other.app.next())), '401 expired')
      assert.ok(id)
    })

    it('answers for no other user, device or first step, and is no token', async () => {
      const ada = await newGuarded(t)
      const eve = await newGuarded(t)
      const device = { id: 'phone' }
      const challenge = await on.challenge(ada.person.email, { device })

      t.clock.advance(minute)
      assert.equal(outcome(await on.totp(challenge, eve.app.code(), { device })), '401 invalid')
      assert.equal(outcome(await on.totp(challenge, ada.app.code())), '401 invalid')
      assert.equal(outcome(await on.totp(challenge, ada.app.code(), { device: { id: 'pc' } })), '401 invalid')
      assert.equal(outcome(await on.recover(challenge, eve.recoveryCodes[0]!, { device })), '401 invalid')

      const used = await on.client.ask('GET', '/sessions', { token: challenge })

      assert.equal(outcome(used), '401 invalid')
      assert.equal(outcome(await on.client.refresh(challenge)), '401 invalid')
      assert.equal(outcome(await on.totp(ada.person.accessToken, ada.app.code())), '401 invalid')
      assert.equal(outcome(await on.totp(ada.person.refreshToken, ada.app.code())), '401 invalid')
      assert.equal((await on.totp(challenge, ada.app.code(), { device })).status, 201)
    })

    it('is required, and stays good for nobody who is disabled or gone', async () => {
      const { person, app } = await newGuarded(t)
      const { status, body } = await on.client.authenticate({ strategy: 'totp', code: app.next() })

      assert.equal(status, 400)
      assert.equal(body.errors[0].field, 'challenge')

      const challenge = await on.challenge(person.email)

      await t.app.service('users').patch(person.id, { disabled: true })
      assert.equal(outcome(await on.totp(challenge, app.code())), '401 disabled')
      await t.app.service('users').remove(person.id)
      assert.equal(outcome(await on.totp(challenge, app.code())), '401 revoked')
    })
  })

  it('is asked for the factor when server code opens a session, too', async () => {
    const { person } = await newGuarded(t)
    const error = await t.app
      .service('authentication')
      .openSession(person.id)
      .catch((error: unknown) => error)

    assert.equal((error as { data: { reason: string } }).data.reason, 'factor')
  })

  it('gets one session for one code, however many give it at once', () =>
    rounds(async () => {
      const { person, app } = await newGuarded(t)
      const challenges = await atOnce(10, () => on.challenge(person.email))
      const code = app.next()
      const before = await sessionsOf(person.email)
      const answers = await Promise.all(challenges.map((challenge) => on.totp(challenge, code)))

      assert.equal(tally(answers)['201'], 1)
      assert.equal(await sessionsOf(person.email), before + 1)
    }))

  it('gets one session for one challenge, however many codes answer it at once', () =>
    rounds(async () => {
      const { person, recoveryCodes } = await newGuarded(t)
      const challenge = await on.challenge(person.email)
      const answers = await Promise.all(recoveryCodes.map((code) => on.recover(challenge, code)))

      assert.deepEqual(tally(answers), { '201': 1, '401 expired': 9 })
    }))

  it('opens no session by the password while the first factor is added', () =>
    rounds(async () => {
      const person = await newPerson(t)
      const signIns = atOnce(6, () => on.client.signIn(person.email))
      const { app } = await enrol(t, person)
      const answers = await signIns
      const later = await on.client.signIn(person.email)

      assert.equal(outcome(later), '401 factor')

      // Those that came before have ended with it
      for (const { body } of answers.filter(({ status }) => status === 201)) {
        const { status } = await on.client.ask('GET', '/sessions', { token: body.accessToken })

        assert.equal(status, 401)
      }

      assert.equal(await sessionsOf(person.email), 1)
      assert.ok(app)
    }))
})

describe('the sign-in of a user with a factor, with cookies', () => {
  let t: TestApp
  const json = { 'Content-Type': 'application/json' }

  before(async () => {
    t = await startApp({
      settings: withFactors({ authentication: { 'refresh-token': { cookie: { sameSite: 'lax' } } } })
    })
  })
  after(() => t.stop())

  it('sets the cookie that the first step asked for, with the second', async () => {
    const { person, app } = await newGuarded(t)
    const on = factorClient(t.address)
    const first = await on.client.signIn(person.email, { cookie: true })

    assert.equal(outcome(first), '401 factor')
    assert.equal(first.headers.get('set-cookie'), null)

    const second = await on.client.ask('POST', '/authentication', {
      headers: json,
      body: { strategy: 'totp', challenge: first.body.data.challenge, code: app.next(), cookie: true }
    })

    assert.equal(second.status, 201)
    assert.ok(second.headers.get('set-cookie'))
    assert.ok(!('refreshToken' in second.body))

    const cookie = second.headers.get('set-cookie')!.split(';')[0]!
    const third = await on.client.ask('POST', '/authentication', {
      headers: { ...json, cookie },
      body: { strategy: 'totp', challenge: await on.challenge(person.email), code: app.next(), cookie: true }
    })

    assert.equal(third.status, 201)
    assert.ok('refreshToken' in third.body, 'the first step asked for none in a cookie')
  })

  it('sets none for a step-up', async () => {
    const { person, app } = await newGuarded(t)
    const { status, body, headers } = await factorClient(t.address).stepUp(person.accessToken, {
      strategy: 'totp',
      code: app.next(),
      cookie: true
    })

    assert.equal(status, 201)
    assert.deepEqual([headers.getSetCookie(), body.refreshToken], [[], undefined])
  })
})

describe('the sign-in of a user with a factor, without rotation', () => {
  let t: TestApp

  before(async () => {
    t = await startApp({
      settings: withFactors({ authentication: { 'refresh-token': { rotation: false } } })
    })
  })
  after(() => t.stop())

  it('reuses the session of the device, and uses the code up with it', async () => {
    const { person, app } = await newGuarded(t)
    const on = factorClient(t.address)
    const device = { id: 'phone', name: 'Phone' }
    const first = (await on.totp(await on.challenge(person.email, { device }), app.next(), { device })).body

    t.clock.advance(minute)

    const challenge = await on.challenge(person.email, { device: { ...device, name: 'Mobile' } })
    const second = await on.totp(challenge, app.next(), { device })

    assert.equal(second.status, 201)
    assert.equal(second.body.refreshToken, first.refreshToken)
    assert.equal(second.body.session.id, first.session.id)
    assert.equal(second.body.session.device.name, 'Mobile')
    assert.ok(second.body.authentication.payload.auth_time > first.authentication.payload.auth_time)

    const known = await on.totp(await on.challenge(person.email, { device }), app.next(), {
      device,
      refreshToken: first.refreshToken
    })

    assert.equal(known.body.session.id, first.session.id)

    const refreshed = (await on.client.refresh(known.body.refreshToken)).body.authentication.payload

    assert.equal(refreshed.auth_time, known.body.authentication.payload.auth_time)
    assert.deepEqual(refreshed.amr, ['pwd', 'otp', 'mfa'])
    assert.equal(
      outcome(await on.totp(await on.challenge(person.email, { device }), app.code(), { device })),
      '401 invalid'
    )
  })
})

describe('the key of factors', () => {
  it('may be rotated: what the old one encrypted is read, and encrypted anew when it is used', async () => {
    const newSecret = 'not a secret: newer factors of the tests'
    const withSecret = (secret: string) =>
      withFactors({
        authentication: {
          authStrategies: ['jwt', 'local', 'refresh-token', 'totp', 'recovery-code'],
          factors: { secret }
        }
      })

    await withApp({ settings: withFactors() }, async (t) => {
      const { person, app, recoveryCodes } = await newGuarded(t)
      const name = t.db.databaseName
      const kid = async () => (await stored(t, person.email)).factors[0].secret.kid
      const before = await kid()

      await withApp(
        { settings: withSecret(`${newSecret},${factorSecret}`), database: name },
        async (second) => {
          const on = factorClient(second.address)

          second.clock.now = t.clock.now + minute
          t.clock.now = second.clock.now
          assert.equal((await on.totp(await on.challenge(person.email), app.code())).status, 201)
          assert.notEqual(await kid(), before)
          assert.equal((await on.recover(await on.challenge(person.email), recoveryCodes[0]!)).status, 201)
        }
      )
      await withApp({ settings: withSecret(newSecret), database: name }, async (third) => {
        assert.equal(outcome(await restClient(third.address).signIn(person.email)), '401 factor')
      })
      await assert.rejects(
        withApp({ settings: withSecret('not a secret: a key of another'), database: name }, async () => {}),
        /authentication\.factors\.secret lacks the key .*: put it back, behind the newest/
      )
    })
  })
})
