import { authenticate } from '@feathersjs/authentication'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Application } from '../../src/declarations.js'
import { requireFactor, requireRecent } from '../../src/refresh-token/index.js'
import { startApp, type TestApp } from '../support/app.js'
import { factorClient, newGuarded, withFactors } from '../support/factors.js'
import { caughtUp, heard, isSignedIn, socketsOf } from '../support/live.js'
import { newPerson, stored } from '../support/people.js'
import { outcome, password, type Answer } from '../support/rest.js'
import { written } from '../support/trail.js'

const minute = 60_000 // ms

/** Two services that are delicate. */
function configure(app: Application) {
  const vault = { find: async () => ['gold'] }
  const services = app as never as {
    use(path: string, service: object): void
    service(path: string): { hooks(hooks: object): void }
  }

  services.use('vault', vault)
  services
    .service('vault')
    .hooks({ around: { find: [authenticate('jwt'), requireRecent({ within: '5m' })] } })
  services.use('yard', vault)
  services.service('yard').hooks({ around: { find: [requireRecent({ within: '5m' })] } })
  services.use('safe', vault)
  services.service('safe').hooks({
    around: { find: [authenticate('jwt')] },
    before: { find: [requireFactor({ within: 300 })] }
  })
}

describe('a call that takes a recent sign-in', () => {
  let t: TestApp
  let on: ReturnType<typeof factorClient>
  const sockets = socketsOf(() => t.address)

  before(async () => {
    t = await startApp({ settings: withFactors(), configure })
    on = factorClient(t.address)
  })
  after(async () => {
    sockets.closeAll()
    await t.stop()
  })

  const open = (token: string, path = '/vault') => on.client.ask('GET', path, { token })

  function assertAsked({ status, headers, body }: Answer, factors: string[], within = 300) {
    assert.equal(status, 401)
    assert.deepEqual(body.data, { reason: 'step-up', within, factors })
    assert.equal(
      headers.get('WWW-Authenticate'),
      `Bearer error="insufficient_user_authentication", max_age=${within}`
    )
  }

  it('is met by a sign-in, and after a while by a step-up, which raises the same session', async () => {
    const ada = await newPerson(t)
    const before = (await stored(t, ada.email)).sessions

    assert.equal((await open(ada.accessToken)).status, 200)
    t.clock.advance(5 * minute + 1000)
    assertAsked(await open(ada.accessToken), [])

    const { status, headers, body } = await on.stepUp(ada.accessToken, {
      strategy: 'local',
      email: ada.email,
      password
    })

    assert.equal(status, 201)
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.ok(!('refreshToken' in body))
    assert.equal(body.session.id, ada.session.id)
    assert.equal(body.session.current, true)
    assert.equal(body.authentication.payload.sid, ada.session.id)
    assert.deepEqual(body.authentication.payload.amr, ['pwd'])
    assert.equal((await open(body.accessToken)).status, 200)
    assertAsked(await open(ada.accessToken), []) // a call is judged by its own token

    const after = (await stored(t, ada.email)).sessions

    assert.equal(after.length, 1)
    assert.equal(after[0].used, before[0].used)

    const refreshed = await on.client.refresh(ada.refreshToken)

    assert.equal(refreshed.body.authentication.payload.auth_time, body.authentication.payload.auth_time)
    assert.equal((await open(refreshed.body.accessToken)).status, 200)
  })

  it('takes the factor of a user who has one', async () => {
    const { person, app, recoveryCodes } = await newGuarded(t)

    assertAsked(await open(person.accessToken), ['totp', 'recovery-code'])

    const byPassword = await on.stepUp(person.accessToken, {
      strategy: 'local',
      email: person.email,
      password
    })

    assertAsked(byPassword, ['totp', 'recovery-code'], 600)

    const code = app.next()
    const byCode = await on.stepUp(person.accessToken, { strategy: 'totp', code })

    assert.equal(byCode.status, 201)
    assert.deepEqual(byCode.body.authentication.payload.amr, ['otp'])
    assert.equal((await open(byCode.body.accessToken)).status, 200)
    assert.equal((await open(byCode.body.accessToken, '/safe')).status, 200)
    assert.equal(outcome(await on.stepUp(person.accessToken, { strategy: 'totp', code })), '401 invalid')

    const byRecovery = await on.stepUp(person.accessToken, {
      strategy: 'recovery-code',
      code: recoveryCodes[3]
    })

    assert.equal(byRecovery.status, 201)
    assert.equal((await person.ask('GET', '/factors')).body.at(-1).left, 9)
    t.clock.advance(6 * minute)
    assertAsked(await open(byRecovery.body.accessToken), ['totp', 'recovery-code'])
  })

  it('is asked of nobody in particular where nobody has to sign in', async () => {
    assertAsked(await on.client.ask('GET', '/yard'), [])
  })

  it('may take a factor of everybody', async () => {
    const ada = await newPerson(t)

    assertAsked(await open(ada.accessToken, '/safe'), [])
    assert.throws(() => requireFactor({ within: 'soon' }), {
      name: 'ConfigurationError',
      message: 'within is "soon": write a duration such as "10m", or a number of seconds'
    })
  })

  it('is made by server code at any time', async () => {
    assert.deepEqual(
      await (t.app as never as { service(path: string): { find(): unknown } }).service('vault').find(),
      ['gold']
    )
  })

  it('is met over a live socket, which stays connected, as its session does', async () => {
    const { person, app } = await newGuarded(t)
    const socket = await sockets.ofSession(person)
    const asked = await socket.call('find', 'vault').catch((error) => error)

    assert.deepEqual(asked.data, { reason: 'step-up', within: 300, factors: ['totp', 'recovery-code'] })

    const answer = await socket.call('create', 'authentication', {
      strategy: 'totp',
      code: app.next(),
      stepUp: true
    })

    assert.equal(answer.session.id, person.session.id)
    assert.deepEqual(await socket.call('find', 'vault'), ['gold'])
    assert.equal(await isSignedIn(socket), true)
    await caughtUp(socket)
    assert.deepEqual(heard(socket, 'sessions created'), [])
    assert.deepEqual(heard(socket, 'sessions removed'), [])
  })

  it('changes nothing for nobody, or for another user', async () => {
    const [ada, eve] = [await newPerson(t), await newPerson(t)]
    const credentials = { strategy: 'local', email: eve.email, password }
    const before = await stored(t, eve.email)

    assert.equal(outcome(await on.client.authenticate({ ...credentials, stepUp: true })), '401 invalid')
    assert.equal(outcome(await on.stepUp(ada.accessToken, credentials)), '401 invalid')
    assert.equal(outcome(await on.stepUp('rubbish', credentials)), '401 invalid')
    await eve.ask('DELETE', '/sessions')
    assert.equal(outcome(await on.stepUp(eve.accessToken, credentials)), '401 revoked')
    assert.ok(before)
    assert.equal((await stored(t, eve.email)).sessions.length, 0)
    assert.equal((await stored(t, ada.email)).sessions[0].authenticatedAt, undefined)
  })

  it('tells nothing of the password of another user, who sees each try in the trail', async () => {
    const [ada, eve] = [await newPerson(t), await newPerson(t)]
    const guess = (password: string) =>
      on.stepUp(eve.accessToken, { strategy: 'local', email: ada.email.toUpperCase(), password })
    const answers = [await guess('wrong horse battery'), await guess(password), await guess(password)]

    await written(t)

    const refused = await t.db.collection('events').find({ type: 'sign-in-refused' }).toArray()

    assert.equal(answers[0]!.status, 401)
    assert.deepEqual(answers[1]!.body, answers[0]!.body)
    assert.equal(refused.filter(({ userId }) => userId === ada.id).length, 3)
    assert.equal(refused.filter(({ userId }) => userId === eve.id).length, 0)
  })

  it('takes no token for credentials, no challenge, and no wrong ones', async () => {
    const { person, app } = await newGuarded(t)
    const { accessToken, refreshToken } = person

    for (const request of [
      { strategy: 'jwt', accessToken },
      { strategy: 'refresh-token', refreshToken }
    ]) {
      const { status, body } = await on.stepUp(accessToken, request)

      assert.equal(status, 400)
      assert.equal(body.errors[0].field, 'strategy')
    }

    const challenge = await on.challenge(person.email)
    const answer = await on.stepUp(accessToken, { strategy: 'totp', challenge, code: app.next() })

    assert.equal(answer.status, 400)
    assert.equal(answer.body.errors[0].field, 'challenge')
    assert.equal(
      outcome(await on.stepUp(accessToken, { strategy: 'local', email: person.email, password: 'wrong' })),
      '401'
    )
    assert.equal((await on.stepUp(accessToken, { strategy: 'totp', code: 7 })).status, 400)
    assert.equal((await on.client.refresh(refreshToken)).status, 201, 'the refresh token was not spent')
  })

  it('is of no use to a session that ends meanwhile, or a user who is disabled', async () => {
    const { person, app } = await newGuarded(t)

    await t.app.service('users').patch(person.id, { disabled: true })
    assert.equal(
      outcome(await on.stepUp(person.accessToken, { strategy: 'totp', code: app.next() })),
      '401 disabled'
    )
  })

  it('concerns the own address and the roles of others', async () => {
    const [admin, ada] = [await newPerson(t, 'admin'), await newPerson(t)]

    t.clock.advance(11 * minute)

    const email = { email: `new-${ada.email}`, currentPassword: password }

    assertAsked(await ada.ask('PATCH', `/users/${ada.id}`, { body: email }), [], 600)
    assertAsked(await admin.ask('PATCH', `/users/${ada.id}`, { body: { roles: ['moderator'] } }), [], 600)
    assert.equal((await admin.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })).status, 200)
    assert.equal(
      (
        await ada.ask('PATCH', `/users/${ada.id}`, {
          body: { password: 'another horse battery', currentPassword: password }
        })
      ).status,
      200
    )
  })

  it('concerns a new password of a user with a factor, and a first one', async () => {
    const { person } = await newGuarded(t)
    const change = { password: 'another horse battery', currentPassword: password }

    assertAsked(
      await person.ask('PATCH', `/users/${person.id}`, { body: change }),
      ['totp', 'recovery-code'],
      600
    )

    const ada = await newPerson(t)
    const set = (token = ada.accessToken) =>
      ada.ask('PATCH', `/users/${ada.id}`, { body: { password: 'another horse battery' }, token })

    assert.equal((await set()).status, 400)
    await t.db.collection('users').updateOne({ email: ada.email }, { $unset: { password: '' } })
    t.clock.advance(11 * minute)
    assertAsked(await set(), [], 600)

    const { accessToken } = await t.app.service('authentication').openSession(ada.id)

    assert.equal((await set(accessToken)).status, 200)
    assert.equal((await on.client.signIn(ada.email, { password: 'another horse battery' })).status, 201)
  })
})
