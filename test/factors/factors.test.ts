import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Application } from '../../src/declarations.js'
import type { Session } from '../../src/refresh-token/index.js'
import { startApp, withApp, type TestApp } from '../support/app.js'
import {
  authenticator,
  enrol,
  factorClient,
  factorSecret,
  newGuarded,
  withFactors
} from '../support/factors.js'
import { linkIn, mailTo, startMailbox, type Mailbox } from '../support/mailbox.js'
import { mailAccounts } from '../support/mail-accounts.js'
import { socketsOf } from '../support/live.js'
import { moultOn } from '../support/moult.js'
import { newPerson, stored } from '../support/people.js'
import { atOnce, outcome, tally } from '../support/rest.js'
import { poll } from '../support/socket.js'

const minute = 60_000 // ms

const keeping = {
  settings: withFactors({
    authentication: {
      authStrategies: ['jwt', 'local', 'refresh-token', 'totp', 'recovery-code'],
      factors: { secret: 'not a secret: factors of the tests', otherSessions: 'keep' }
    }
  })
}

describe('the service factors', () => {
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

  it('shows a secret once, which counts for nothing until a code confirms it', async () => {
    const ada = await newPerson(t)
    const { status, body, headers } = await ada.ask('POST', '/factors', { body: { kind: 'totp' } })
    const uri = new URL(body.uri)

    assert.equal(status, 201)
    assert.deepEqual(Object.keys(body), ['id', 'kind', 'secret', 'uri'])
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.match(body.secret, /^[A-Z2-7]{32}$/)
    assert.equal(uri.protocol, 'otpauth:')
    assert.equal(uri.host, 'totp')
    assert.equal(decodeURIComponent(uri.pathname), `/moult:${ada.email}`)
    assert.equal(uri.searchParams.get('secret'), body.secret)
    assert.deepEqual((await ada.ask('GET', '/factors')).body, [])
    assert.equal((await on.client.signIn(ada.email)).status, 201)

    const app = authenticator(t, body.secret)
    const confirm = (code: string, more: object = {}) =>
      ada.ask('PATCH', `/factors/${body.id}`, { body: { code, ...more } })

    assert.equal(outcome(await confirm('000000')), '400 invalid')

    const confirmed = await confirm(app.code(), { name: 'Phone' })

    assert.equal(confirmed.status, 200)
    assert.deepEqual(Object.keys(confirmed.body), ['id', 'kind', 'recoveryCodes'])
    assert.equal((await confirm(app.code())).status, 401)

    const listed = (await ada.ask('GET', '/factors')).body

    const createdAt = new Date(t.clock.now).toISOString()

    assert.deepEqual(listed, [
      { id: body.id, kind: 'totp', name: 'Phone', createdAt },
      { id: 'recovery-codes', kind: 'recovery-codes', createdAt, left: 10 }
    ])
    assert.equal((await on.totp(await on.challenge(ada.email), app.next())).status, 201)
    assert.ok((await ada.ask('GET', '/factors')).body[0].usedAt)
  })

  it('stores secrets encrypted, and recovery codes as hashes', async () => {
    const ada = await newPerson(t)
    const { body } = await ada.ask('POST', '/factors', { body: { kind: 'totp' } })
    const pending = JSON.stringify(await stored(t, ada.email))
    const { recoveryCodes } = (
      await ada.ask('PATCH', `/factors/${body.id}`, {
        body: { code: authenticator(t, body.secret).code() }
      })
    ).body
    const user = await stored(t, ada.email)
    const kept = JSON.stringify(user)

    assert.ok(!pending.includes(body.secret))

    for (const secret of [body.secret, ...recoveryCodes]) {
      assert.ok(!kept.includes(secret) && !kept.includes(secret.replace('-', '')))
    }

    assert.equal(user.pendingFactor, undefined)
    assert.equal(user.recoveryCodes.length, 10)
  })

  it('keeps one app that was begun, for ten minutes', async () => {
    const ada = await newPerson(t)
    const begin = async () => (await ada.ask('POST', '/factors', { body: { kind: 'totp' } })).body
    const confirm = ({ id, secret }: { id: string; secret: string }, token = ada.accessToken) =>
      ada.ask('PATCH', `/factors/${id}`, { body: { code: authenticator(t, secret).code() }, token })
    const [first, second] = [await begin(), await begin()]

    assert.equal((await confirm(first)).status, 404)
    t.clock.advance(10 * minute)
    assert.equal((await confirm(second, (await ada.signIn()).accessToken)).status, 404)
  })

  it('is confirmed once, however often at once', async () => {
    const ada = await newPerson(t)
    const { body } = await ada.ask('POST', '/factors', { body: { kind: 'totp' } })
    const code = authenticator(t, body.secret).code()
    const answers = await atOnce(8, () => ada.ask('PATCH', `/factors/${body.id}`, { body: { code } }))

    assert.equal(tally(answers)['200'], 1)
    assert.equal((await stored(t, ada.email)).factors.length, 1)
  })

  it('ends the other sessions with the first factor, and none with others', async () => {
    const ada = await newPerson(t)
    const other = await ada.signIn()
    const socket = await sockets.ofSession(other)
    const { app } = await enrol(t, ada)

    assert.equal((await socket.next('sessions removed')).reason, 'factor')
    await socket.disconnected()
    assert.equal(outcome(await on.client.refresh(other.refreshToken)), '401 revoked')

    const third = (await on.totp(await on.challenge(ada.email), app.next())).body
    const { accessToken } = (await on.stepUp(ada.accessToken, { strategy: 'totp', code: app.next() })).body
    const { recoveryCodes } = await enrol(t, ada, accessToken)

    assert.equal(recoveryCodes, undefined)
    assert.equal((await on.client.refresh(third.refreshToken)).status, 201)
  })

  it('keeps them where the setting says so', () =>
    withApp(keeping, async (kept) => {
      const ada = await newPerson(kept)
      const other = await ada.signIn()

      await enrol(kept, ada)

      const { status, body } = await factorClient(kept.address).client.refresh(other.refreshToken)

      assert.equal(status, 201)
      assert.deepEqual(body.authentication.payload.amr, ['pwd'])
    }))

  it('marks the sessions that were kept, until a factor is given in them', () =>
    withApp(keeping, async (kept) => {
      const ada = await newPerson(kept)
      const other = await ada.signIn()
      const marks = async () => {
        const { body } = await ada.ask('GET', '/sessions', { token: other.accessToken })

        return [ada, other].map(
          ({ session }) => body.find(({ id }: Session) => id === session.id).withoutFactor
        )
      }

      assert.deepEqual(await marks(), [undefined, undefined])

      const { app } = await enrol(kept, ada)

      assert.deepEqual(await marks(), [undefined, true])
      assert.equal(
        (await ada.ask('GET', `/sessions/${other.session.id}`, { token: other.accessToken })).body
          .withoutFactor,
        true
      )

      await factorClient(kept.address).stepUp(other.accessToken, { strategy: 'totp', code: app.next() })
      assert.deepEqual(await marks(), [undefined, undefined])
    }))

  it('are a step-up when they are added, which a refresh tells', async () => {
    const ada = await newPerson(t)

    t.clock.advance(minute)

    const { app } = await enrol(t, ada)
    const renewCodes = (token: string) =>
      ada.ask('POST', '/factors', { body: { kind: 'recovery-codes' }, token })
    const { body } = await on.client.refresh(ada.refreshToken)

    assert.equal(outcome(await renewCodes(ada.accessToken)), '401 step-up', 'a token of before is old')
    assert.deepEqual(body.authentication.payload.amr, ['otp'])
    assert.equal(body.authentication.payload.auth_time, Math.floor(t.clock.now / 1000))
    assert.equal((await renewCodes(body.accessToken)).status, 201)
    // The code itself stays good for nothing else
    assert.equal(
      outcome(await on.stepUp(body.accessToken, { strategy: 'totp', code: app.code() })),
      '401 invalid'
    )
  })

  it('makes new recovery codes, which void the old ones', async () => {
    const { person, app, recoveryCodes } = await newGuarded(t)
    const { accessToken: token } = (
      await on.stepUp(person.accessToken, { strategy: 'totp', code: app.next() })
    ).body
    const { status, body } = await person.ask('POST', '/factors', { body: { kind: 'recovery-codes' }, token })

    assert.equal(status, 201)
    assert.deepEqual(Object.keys(body), ['id', 'kind', 'recoveryCodes'])
    assert.equal(
      outcome(await on.recover(await on.challenge(person.email), recoveryCodes[0]!)),
      '401 invalid'
    )
    assert.equal((await on.recover(await on.challenge(person.email), body.recoveryCodes[0])).status, 201)
    assert.equal(
      (await (await newPerson(t)).ask('POST', '/factors', { body: { kind: 'recovery-codes' } })).status,
      409
    )
  })

  it('removes a factor; with the last one the recovery codes go, too', async () => {
    const { person, app, id } = await newGuarded(t)
    const stepUp = async () =>
      (await on.stepUp(person.accessToken, { strategy: 'totp', code: app.next() })).body.accessToken
    const second = await enrol(t, person, await stepUp())
    const token = await stepUp()
    const remove = (factor: string) => person.ask('DELETE', `/factors/${factor}`, { token })

    assert.equal((await remove('recovery-codes')).status, 404)
    assert.equal((await remove('no-such')).status, 404)

    const { status, body } = await remove(second.id)

    assert.equal(status, 200)
    assert.equal(body.id, second.id)
    assert.equal((await stored(t, person.email)).recoveryCodes.length, 10)
    assert.equal((await remove(id)).status, 200)
    assert.deepEqual((await stored(t, person.email)).factors, [])
    assert.equal((await stored(t, person.email)).recoveryCodes, undefined)
    assert.equal((await on.client.signIn(person.email)).status, 201)
    assert.deepEqual((await person.ask('GET', '/factors')).body, [])
  })

  it('leaves no factor behind, however many are removed at once', async () => {
    const { person, app, id } = await newGuarded(t)
    const token = (await on.stepUp(person.accessToken, { strategy: 'totp', code: app.next() })).body
      .accessToken
    const second = await enrol(t, person, token)
    const fresh = (await on.stepUp(person.accessToken, { strategy: 'totp', code: app.next() })).body
      .accessToken
    const answers = await Promise.all(
      [id, second.id, id, second.id].map((factor) =>
        person.ask('DELETE', `/factors/${factor}`, { token: fresh })
      )
    )
    const user = await stored(t, person.email)

    assert.equal(tally(answers)['200'], 2)
    assert.deepEqual(user.factors, [])
    assert.equal(user.recoveryCodes, undefined)
  })

  it('takes ten apps at most', async () => {
    const { person, app } = await newGuarded(t)
    const token = (await on.stepUp(person.accessToken, { strategy: 'totp', code: app.next() })).body
      .accessToken

    for (let count = 1; count < 10; count++) {
      await enrol(t, person, token)
    }

    assert.equal((await person.ask('POST', '/factors', { body: { kind: 'totp' }, token })).status, 409)
  })

  it('is not for a stolen access token that is older than ten minutes, nor for nobody', async () => {
    const ada = await newPerson(t)

    t.clock.advance(10 * minute + 1000)
    assert.equal(outcome(await ada.ask('POST', '/factors', { body: { kind: 'totp' } })), '401 step-up')
    assert.equal(outcome(await ada.ask('DELETE', '/factors/x')), '401 step-up')
    assert.equal(outcome(await ada.ask('PATCH', '/factors/x', { body: { code: '1' } })), '401 step-up')
    assert.equal((await ada.ask('GET', '/factors')).status, 200)
    assert.equal((await on.client.ask('GET', '/factors')).status, 401)
    assert.equal((await on.client.ask('POST', '/factors', { body: { kind: 'totp' } })).status, 401)
  })

  it('refuses malformed requests', async () => {
    const ada = await newPerson(t)
    const wrong: [string, string, object, string][] = [
      ['POST', '/factors', {}, 'kind'],
      ['POST', '/factors', { kind: 'sms' }, 'kind'],
      ['POST', '/factors', { kind: 'totp', secret: 'mine' }, 'secret'],
      ['PATCH', '/factors/x', {}, 'code'],
      ['PATCH', '/factors/x', { code: 1 }, 'code'],
      ['PATCH', '/factors/x', { code: '1', name: '' }, 'name'],
      ['DELETE', '/factors', {}, 'userId']
    ]

    for (const [method, path, body, field] of wrong) {
      const answer = await ada.ask(method, path, { body })

      assert.equal(answer.status, 400, JSON.stringify(body))
      assert.equal(answer.body.errors[0].field, field)
    }

    assert.equal((await ada.ask('PATCH', '/factors', { body: { code: '1' } })).status, 405)
  })

  it('lets an admin remove all factors of another user, who lost them', async () => {
    const { person } = await newGuarded(t)
    const [admin, eve] = [await newPerson(t, 'admin'), await newPerson(t)]
    const path = `/factors?userId=${person.id}`

    assert.equal((await eve.ask('DELETE', path)).status, 403)
    assert.equal((await admin.ask('DELETE', `/factors/x?userId=${person.id}`)).status, 400)
    assert.equal((await admin.ask('DELETE', `/factors?userId=${'0'.repeat(24)}`)).status, 404)
    await t.app.service('users').patch(person.id, { disabled: true })

    const { status, body } = await admin.ask('DELETE', path)

    assert.equal(status, 200)
    assert.equal(body.length, 1)
    assert.equal((await stored(t, person.email)).factors, undefined)
    t.clock.advance(11 * minute)
    assert.equal(outcome(await admin.ask('DELETE', path)), '401 step-up')
  })

  it('shows and lets write nothing of factors through the users service', async () => {
    const { person } = await newGuarded(t)
    const admin = await newPerson(t, 'admin')
    const fields = ['factors', 'recoveryCodes', 'pendingFactor', 'passkeyHandle']
    const { body } = await admin.ask('GET', `/users/${person.id}`)

    for (const field of fields) {
      assert.ok(!(field in body), field)
      assert.equal((await admin.ask('GET', `/users?${field}=1`)).status, 400, field)
      assert.equal((await admin.ask('GET', `/users?$select[]=${field}`)).status, 400, field)
      assert.equal(
        (await person.ask('PATCH', `/users/${person.id}`, { body: { [field]: [] } })).status,
        400,
        field
      )
    }
  })
})

describe('wrong codes for a factor', () => {
  let t: TestApp
  let on: ReturnType<typeof factorClient>

  before(async () => {
    t = await startApp({
      settings: withFactors({
        rateLimit: {
          signIn: { account: { limit: 5, per: '15m' }, address: false },
          signUp: false,
          refresh: false,
          factor: { account: { limit: 12, per: '24h' } }
        }
      })
    })
    on = factorClient(t.address)
  })
  after(() => t.stop())

  it('are limited for all strangers together, which a right password does not reset, nor count', async () => {
    const { person, app, recoveryCodes } = await newGuarded(t)
    const guess = async (times: number) => {
      const challenge = await on.challenge(person.email)

      return atOnce(times, () => on.totp(challenge, '000000'))
    }

    t.clock.advance(minute)
    assert.deepEqual(tally(await guess(7)), { '401 invalid': 7 })
    assert.deepEqual(tally(await guess(7)), { '401 invalid': 5, '429': 2 })

    for (let count = 0; count < 6; count++) {
      await on.challenge(person.email) // the right password is no failure
    }

    const limited = await on.totp(await on.challenge(person.email), app.code())

    assert.equal(limited.status, 429)
    assert.ok(Number(limited.headers.get('retry-after')) > 80_000)
    assert.equal((await on.recover(await on.challenge(person.email), recoveryCodes[0]!)).status, 429)

    // Who has a session anyway is known by its own refresh token, and has tries of its own
    const known = await on.totp(await on.challenge(person.email), app.code(), {
      refreshToken: person.refreshToken
    })

    assert.equal(known.status, 201)

    const spent = person.refreshToken
    const [second] = [(await on.client.refresh(spent)).body.refreshToken]

    await on.client.refresh(second)

    for (const refreshToken of ['rubbish', spent]) {
      const answer = await on.totp(await on.challenge(person.email), app.next(), { refreshToken })

      assert.equal(answer.status, 429, refreshToken)
    }
    assert.equal(
      (
        await on.totp(await on.challenge(person.email), app.next(), {
          refreshToken: (await newPerson(t)).refreshToken
        })
      ).status,
      429
    )
  })

  it('count at step-ups, too', async () => {
    const { person, app } = await newGuarded(t)
    const stepUp = (code: string) => on.stepUp(person.accessToken, { strategy: 'totp', code })

    t.clock.advance(minute)
    assert.deepEqual(tally(await atOnce(14, () => stepUp('000000'))), { '401 invalid': 12, '429': 2 })
    assert.equal((await stepUp(app.code())).status, 429)
    assert.equal((await on.totp(await on.challenge(person.email), app.code())).status, 201)
  })
})

describe('factors, with mail and an audit trail', () => {
  let mailbox: Mailbox
  let t: TestApp
  let on: ReturnType<typeof factorClient>
  let accounts: ReturnType<typeof mailAccounts>

  before(async () => {
    mailbox = await startMailbox()
    t = await startApp({ settings: withFactors(mailTo(mailbox)) })
    on = factorClient(t.address)
    accounts = mailAccounts(t, mailbox)
  })
  after(async () => {
    await t.stop()
    await mailbox.close()
  })

  const eventsOf = async (userId: string, type: string) =>
    poll(async () => {
      const found = await t.db.collection('events').find({ userId, type }).toArray()

      return found.length > 0 ? found : undefined
    }, `the event ${type}`)

  it('are told when they are added, with a link that takes that back and ends all sessions', async () => {
    const ada = await accounts.verified()

    await enrol(t, ada)

    const mail = await mailbox.next(ada.email)
    const link = linkIn(mail)

    assert.equal(mail.subject, 'A second factor has been added')
    assert.equal(link.purpose, 'keep-email')
    assert.equal((await eventsOf(ada.id, 'factor-added'))[0]!.factor, 'totp')
    assert.equal((await accounts.keep(link)).status, 200)

    const user = await stored(t, ada.email)

    assert.ok(!('factors' in user || 'recoveryCodes' in user || 'password' in user))
    assert.equal(user.sessions.length, 0)
  })

  it('are restored without the recovery codes that were used since', async () => {
    const ada = await accounts.verified()
    const { app, id, recoveryCodes } = await enrol(t, ada)

    await mailbox.next(ada.email)

    const token = (await on.stepUp(ada.accessToken, { strategy: 'totp', code: app.next() })).body.accessToken

    await enrol(t, ada, token)

    const link = linkIn(await mailbox.next(ada.email))

    for (const code of recoveryCodes.slice(0, 2)) {
      assert.equal((await on.stepUp(token, { strategy: 'recovery-code', code })).status, 201)
    }

    await ada.ask('POST', '/factors', { body: { kind: 'recovery-codes' }, token })
    await ada.ask('DELETE', `/factors/${id}`, { token })
    assert.equal((await accounts.keep(link)).status, 200)

    const user = await stored(t, ada.email)

    assert.deepEqual(
      user.factors.map((factor: { id: string; kind: string }) => [factor.id, factor.kind]),
      [[id, 'totp']]
    )
    assert.equal(user.recoveryCodes.length, 8)
  })

  it('are told without one when the address was never verified', async () => {
    const { person } = await accounts.unverified()

    await enrol(t, person)

    const mail = await mailbox.next(person.email)

    assert.equal(mail.subject, 'A second factor has been added')
    assert.doesNotMatch(mail.text, /keep-email/)
  })

  it('are told when they are removed, and when a recovery code is used', async () => {
    const ada = await accounts.verified()
    const { app, id, recoveryCodes } = await enrol(t, ada)

    await mailbox.next(ada.email)
    assert.equal((await on.recover(await on.challenge(ada.email), recoveryCodes[0]!)).status, 201)
    assert.match((await mailbox.next(ada.email)).text, /9 are left/)

    const token = (await on.stepUp(ada.accessToken, { strategy: 'totp', code: app.next() })).body.accessToken

    await ada.ask('DELETE', `/factors/${id}`, { token })
    assert.equal((await mailbox.next(ada.email)).subject, 'A second factor has been removed')
    assert.equal((await eventsOf(ada.id, 'factor-removed'))[0]!.factor, 'totp')
    assert.equal((await eventsOf(ada.id, 'stepped-up'))[0]!.strategy, 'totp')
    assert.equal((await eventsOf(ada.id, 'recovery-code-used')).length, 1)
  })

  it('stay in force through a reset of a verified account', async () => {
    const ada = await accounts.verified()
    const { app } = await enrol(t, ada)

    await mailbox.next(ada.email)

    const newPassword = 'another horse battery'

    assert.equal((await accounts.reset(await accounts.resetLink(ada.email), newPassword)).status, 200)

    const answer = await on.client.signIn(ada.email, { password: newPassword })

    assert.equal(outcome(answer), '401 factor')
    assert.equal((await on.totp(answer.body.data.challenge, app.next())).status, 201)
  })

  it('go with all else that a stranger left on an account whose address was never verified', async () => {
    const { person } = await accounts.unverified()

    await enrol(t, person)
    await mailbox.next(person.email)
    assert.equal(
      (await accounts.reset(await accounts.resetLink(person.email), 'another horse battery')).status,
      200
    )

    const user = await stored(t, person.email)

    assert.ok(!('factors' in user || 'recoveryCodes' in user || 'pendingFactor' in user))
    assert.equal((await on.client.signIn(person.email, { password: 'another horse battery' })).status, 201)
  })

  it('notes wrong codes for the user concerned', async () => {
    const { person, app } = await newGuarded(t)

    await on.totp(await on.challenge(person.email), '000000')

    const [event] = await eventsOf(person.id, 'sign-in-refused')

    assert.equal(event!.reason, 'invalid')
    assert.equal(event!.strategy, 'totp')
    assert.ok(app)
  })

  it('are listed and cleared by the command line', async () => {
    const ada = await accounts.verified()

    await enrol(t, ada)
    await mailbox.next(ada.email)

    const env = {
      NODE_CONFIG: JSON.stringify({
        ...withFactors(mailTo(mailbox)),
        mongodb: t.url
      })
    }
    const moult = moultOn(t)
    const listed = await moult(['users', 'factors', ada.email], { env })

    assert.match(listed.stdout, /totp .*\nrecovery-codes +10 left/)

    const cleared = await moult(['users', 'factors', ada.email, '--clear'], { env })

    assert.equal(
      cleared.stdout.trim(),
      `${ada.email} has no second factor now, and all its sessions have ended`
    )
    assert.equal((await stored(t, ada.email)).sessions.length, 0)
    assert.match((await mailbox.next(ada.email)).text, /Each second factor has been removed/)
    assert.equal((await on.client.signIn(ada.email)).status, 201)
    assert.match((await moult(['users', 'factors', ada.email], { env })).stdout, /No second factors/)

    const off = await moult(['users', 'factors', ada.email])

    assert.equal(off.code, 1)
    assert.match(off.stderr, /Second factors are not configured/)
  })
})

describe('a service with a key for factors, and no strategy that gives one', () => {
  it('has no service factors', async () => {
    const settings = { authentication: { factors: { secret: factorSecret } } }

    await withApp({ settings }, async (t) => {
      const ada = await newPerson(t)
      const { paths } = (await ada.ask('GET', '/openapi.json')).body

      assert.equal((await ada.ask('GET', '/factors')).status, 404)
      assert.equal('/factors' in paths, false)
    })
  })
})

describe('a service that hands out recovery codes', () => {
  /** What it logs of them at its start. */
  async function warnings(authStrategies: string[]): Promise<string[]> {
    const logged: string[] = []
    const configure = (app: Application) => {
      const { warn } = app.get('logger')

      app.get('logger').warn = (...args: unknown[]) => {
        logged.push(String(args.at(-1)))
        warn.apply(app.get('logger'), args as never)
      }
    }

    await withApp(
      { settings: withFactors({ authentication: withKey(authStrategies) }), configure },
      async () => {}
    )
    return logged.filter((sentence) => sentence.includes('recovery-code'))
  }
  const withKey = (authStrategies: string[]) => ({ authStrategies, factors: { secret: factorSecret } })

  it('warns when nobody can use them', async () => {
    assert.deepEqual(await warnings(['jwt', 'local', 'refresh-token', 'totp', 'recovery-code']), [])
    assert.deepEqual(await warnings(['jwt', 'local', 'refresh-token', 'totp']), [
      'authentication.authStrategies lacks "recovery-code": users get recovery codes with their first factor, and can ' +
        'not use them'
    ])
  })
})
