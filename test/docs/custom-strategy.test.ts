import {
  AuthenticationBaseStrategy,
  authenticate,
  type AuthenticationRequest
} from '@feathersjs/authentication'
import type { Application as AnyApplication, Params } from '@feathersjs/feathers'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { ObjectId } from 'mongodb'
import type { Application } from '../../src/declarations.js'
import type { AuthenticationService } from '../../src/refresh-token/index.js'
import { ApiKeyStrategy, createApiKey } from '../support/api-key-strategy.js'
import { merge, startApp, type Settings, type TestApp } from '../support/app.js'
import { runShell, snippet } from '../support/documents.js'
import { factorClient, factorSecret, withFactors } from '../support/factors.js'
import { isSignedIn, socketsOf } from '../support/live.js'
import { PatternStrategy } from '../support/pattern-strategy.js'
import { newPerson } from '../support/people.js'
import { outcome, restClient } from '../support/rest.js'
import { connect } from '../support/socket.js'

const settings = JSON.parse(snippet('docs/custom-strategy.md', '"parseStrategies"')) as Settings
const withRefreshTokens = JSON.parse(snippet('docs/custom-strategy.md', '"refresh-token": {')) as Settings

/** What the document says to write in src/authentication.ts, and a service that takes API keys. */
function configure(app: Application) {
  const service = app.service('authentication')

  service.register('api-key', new ApiKeyStrategy())
  reports(app)
}

function reports(app: AnyApplication) {
  app.use('reports', { find: async ({ user, session }: Params) => [{ user, session }] })
  app.service('reports').hooks({ around: { all: [authenticate('jwt', 'api-key')] } })
}

describe('docs/custom-strategy.md', () => {
  it('shows the code that is tested here', async () => {
    const tested = await readFile(new URL('../support/api-key-strategy.ts', import.meta.url), 'utf8')
    const self = await readFile(new URL(import.meta.url), 'utf8')
    const lines = [
      snippet('docs/custom-strategy.md', "service.register('api-key'"),
      snippet('docs/custom-strategy.md', "app.service('reports')")
    ]

    assert.equal(
      snippet('docs/custom-strategy.md', 'class ApiKeyStrategy'),
      tested.replaceAll("'../../src/", "'./")
    )

    assert.equal(
      snippet('docs/custom-strategy.md', 'class PatternStrategy'),
      (await readFile(new URL('../support/pattern-strategy.ts', import.meta.url), 'utf8')).replaceAll(
        "'../../src/",
        "'./"
      )
    )

    for (const line of lines) {
      assert.ok(self.includes(`\n  ${line}`), line)
    }
  })
})

describe('an API key strategy', () => {
  let t: TestApp
  const sockets = socketsOf(() => t.address)
  const client = () => restClient(t.address)
  const signIn = (apiKey: unknown) => client().authenticate({ strategy: 'api-key', apiKey })
  const read = (apiKey: string) => client().ask('GET', '/reports', { headers: { 'X-API-Key': apiKey } })

  before(async () => {
    t = await startApp({ settings, configure })
  })
  after(async () => {
    sockets.closeAll()
    await t.stop()
  })

  const newKey = async () => {
    const ada = await newPerson(t)

    return { ada, key: await createApiKey(t.app, new ObjectId(ada.id)) }
  }

  it('opens the services that name it, as the owner of the key, without a session', async () => {
    const { ada, key } = await newKey()
    const { status, body } = await read(key)

    assert.equal(status, 200)
    assert.equal(body[0].user._id, ada.id)
    assert.ok(!('password' in body[0].user || 'sessions' in body[0].user || 'session' in body[0]))
    assert.equal((await ada.ask('GET', '/sessions')).body.length, 1)
  })

  it('is used by curl as shown', async () => {
    const { ada, key } = await newKey()
    const typed = async (command: string) =>
      JSON.parse(
        await runShell(command.replace('http://localhost:3030', t.address).replace('curl ', 'curl -s '), {
          env: { KEY: key }
        })
      )
    const reports = await typed(snippet('docs/custom-strategy.md', 'curl http://localhost:3030/reports'))
    const login = await typed(snippet('docs/custom-strategy.md', 'curl http://localhost:3030/authentication'))

    assert.equal(reports[0].user._id, ada.id)
    assert.equal(login.session.strategy, 'api-key')
  })

  it('leaves those services open to access tokens', async () => {
    const { ada } = await newKey()
    const { status, body } = await ada.ask('GET', '/reports')

    assert.equal(status, 200)
    assert.equal(body[0].session.id, ada.session.id)
  })

  it('opens no other services', async () => {
    const { ada, key } = await newKey()

    const headers = { 'X-API-Key': key }
    const answers = [
      await client().ask('GET', '/users', { headers }),
      await client().ask('GET', '/sessions', { headers }),
      await client().ask('DELETE', '/sessions', { headers }),
      await client().ask('PATCH', `/users/${ada.id}`, { headers, body: { name: 'Ada' } })
    ]

    assert.deepEqual(
      answers.map(({ status }) => status),
      [401, 401, 401, 401]
    )
    assert.equal((await ada.ask('GET', '/sessions')).status, 200)
  })

  it('signs in, without a refresh token: the session lasts as long as the access token', async () => {
    const { ada, key } = await newKey()
    const { status, headers, body } = await signIn(key)
    const { accessToken, session, user, authentication } = body

    assert.equal(status, 201)
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.ok(!('refreshToken' in body))
    assert.equal(session.strategy, 'api-key')
    assert.equal(session.expiresAt, new Date(authentication.payload.exp * 1000).toISOString())
    assert.deepEqual(user, (await ada.ask('GET', `/users/${ada.id}`)).body)

    const sessions = (await client().ask('GET', '/sessions', { token: accessToken })).body

    assert.deepEqual(
      sessions.filter(({ current }: { current: boolean }) => current),
      [session]
    )
    assert.equal((await client().ask('DELETE', '/authentication', { token: accessToken })).status, 200)
    assert.equal((await client().ask('GET', '/sessions', { token: accessToken })).body.data.reason, 'revoked')
  })

  it('signs a socket in by its handshake', async () => {
    const { ada, key } = await newKey()
    const socket = await sockets.anonymous({ 'X-API-Key': key })

    assert.equal(await isSignedIn(socket), true)
    assert.equal((await socket.call('find', 'reports'))[0].user._id, ada.id)
    await ada.ask('DELETE', '/sessions')
    assert.equal((await socket.next('sessions removed')).reason, 'revoked')
    await socket.disconnected()
    await assert.rejects(sockets.anonymous({ 'X-API-Key': 'rubbish' }), { data: { reason: 'invalid' } })
  })

  it('signs a socket in by a call', async () => {
    const { key } = await newKey()
    const socket = await sockets.anonymous()

    await socket.call('create', 'authentication', { strategy: 'api-key', apiKey: key })
    assert.equal(await isSignedIn(socket), true)
    await socket.call('remove', 'authentication', null)
    assert.equal(await isSignedIn(socket), false)
  })

  it('ends nothing by a logout with the key alone', async () => {
    const { ada, key } = await newKey()
    const { status, body } = await client().ask('DELETE', '/authentication', {
      headers: { 'X-API-Key': key }
    })

    assert.equal(status, 200)
    assert.deepEqual(Object.keys(body).sort(), ['authentication', 'user'])
    assert.equal((await ada.ask('GET', '/sessions')).body.length, 1)
  })

  it('refuses keys that are none', async () => {
    const { key } = await newKey()
    const [id, secret] = key.split('.')
    const other = (await newKey()).key.split('.')
    const wrong = [
      '',
      '.',
      'rubbish',
      id,
      `${id}.`,
      `.${secret}`,
      `${id}.${other[1]}`,
      `${other[0]}.${secret}`,
      `${key}A`
    ]

    for (const apiKey of wrong) {
      assert.deepEqual((await signIn(apiKey)).body.data, { reason: 'invalid' }, apiKey)
    }
    for (const apiKey of wrong.filter(Boolean)) {
      assert.equal((await read(apiKey!)).status, 401, apiKey)
    }
    for (const apiKey of [undefined, null, 5, {}, { $ne: null }, ['x']]) {
      const { status, body } = await signIn(apiKey)

      assert.equal(status, 400)
      assert.equal(body.errors[0].field, 'apiKey')
    }
  })

  it('refuses the keys of a disabled or deleted user', async () => {
    const { ada, key } = await newKey()

    await t.app.service('users').patch(ada.id, { disabled: true })
    assert.deepEqual((await read(key)).body.data, { reason: 'disabled' })
    assert.deepEqual((await signIn(key)).body.data, { reason: 'disabled' })
    await t.app.service('users').remove(ada.id)
    assert.deepEqual((await read(key)).body.data, { reason: 'revoked' })
    assert.deepEqual((await signIn(key)).body.data, { reason: 'revoked' })
  })

  it('stores no key', async () => {
    const { key } = await newKey()
    const stored = JSON.stringify(await t.db.collection('api-keys').find().toArray())

    assert.ok(stored.includes(key.split('.')[0]!))
    assert.ok(!stored.includes(key.split('.')[1]!))
  })
})

describe('an API key strategy that `strategies` names', () => {
  let t: TestApp

  before(async () => {
    t = await startApp({ settings: merge(settings, withRefreshTokens), configure })
  })
  after(() => t.stop())

  it('gets refresh tokens, which work as those of other logins do', async () => {
    const ada = await newPerson(t)
    const { authenticate: signIn, refresh } = restClient(t.address)
    const apiKey = await createApiKey(t.app, new ObjectId(ada.id))
    const first = (await signIn({ strategy: 'api-key', apiKey, device: { id: 'cron' } })).body

    assert.equal(first.session.strategy, 'api-key')
    assert.equal(first.session.device.id, 'cron')

    const second = (await refresh(first.refreshToken)).body

    assert.equal(second.session.id, first.session.id)
    assert.equal(second.session.strategy, 'api-key')
    assert.equal((await refresh(second.refreshToken)).status, 201)
    assert.equal((await refresh(first.refreshToken)).body.data.reason, 'reused')
  })
})

describe('an API key strategy that is left out of authStrategies', () => {
  let t: TestApp

  before(async () => {
    const authStrategies = ['jwt', 'local', 'refresh-token']

    t = await startApp({ settings: merge(settings, { authentication: { authStrategies } }), configure })
  })
  after(() => t.stop())

  it('opens services, and signs nobody in', async () => {
    const ada = await newPerson(t)
    const { ask, authenticate: signIn } = restClient(t.address)
    const apiKey = await createApiKey(t.app, new ObjectId(ada.id))
    const { status, body } = await ask('GET', '/reports', { headers: { 'X-API-Key': apiKey } })

    assert.equal(status, 200)
    assert.equal(body[0].user._id, ada.id)

    const refused = await signIn({ strategy: 'api-key', apiKey })

    assert.equal(refused.status, 401)
    assert.equal(refused.body.data?.reason, undefined)
    await assert.rejects(connect(t.address, { 'X-API-Key': apiKey }), { message: /^Invalid authentication/ })
  })
})

describe('a strategy that is a factor', () => {
  let t: TestApp
  let on: ReturnType<typeof factorClient>
  const hash = (pattern: string) => createHash('sha256').update(pattern).digest('hex')

  /** Two factors by itself: a card, and its PIN. */
  class CardStrategy extends AuthenticationBaseStrategy {
    declare authentication: AuthenticationService

    async authenticate({ email, amr }: AuthenticationRequest, params: Params) {
      const user = await this.authentication.findEntity({ email })

      return {
        authentication: { strategy: this.name!, amr },
        user: await this.authentication.presentEntity(user!, params)
      }
    }
  }

  before(async () => {
    t = await startApp({
      settings: withFactors({
        authentication: {
          authStrategies: ['jwt', 'local', 'refresh-token', 'totp', 'recovery-code', 'pattern', 'card'],
          factors: { secret: factorSecret }
        }
      }),
      configure(app) {
        app.service('authentication').register('pattern', new PatternStrategy(hash))
        app.service('authentication').register('card', new CardStrategy())
      }
    })
    on = factorClient(t.address)
  })
  after(() => t.stop())

  const withPattern = async () => {
    const ada = await newPerson(t)
    const factor = { id: 'p', kind: 'pattern', hash: hash('L'), createdAt: new Date() }
    const caller = { userId: ada.id, sessionId: ada.session.id, params: {} }

    assert.equal((await t.app.get('factors')!.add(caller, factor, {})).recoveryCodes!.length, 10)
    return ada
  }

  it('is asked for at the gate, and answers it', async () => {
    const ada = await withPattern()
    const answer = await on.client.signIn(ada.email)
    const { challenge } = answer.body.data
    const give = (pattern: string) => on.client.authenticate({ strategy: 'pattern', challenge, pattern })

    assert.deepEqual(answer.body.data.factors, ['recovery-code', 'pattern'])
    assert.equal(outcome(await give('Z')), '401 invalid')

    const { status, body } = await give('L')

    assert.equal(status, 201)
    assert.deepEqual(body.authentication.payload.amr, ['pwd', 'kba', 'mfa'])
    assert.ok((await on.client.ask('GET', '/factors', { token: body.accessToken })).body[0].usedAt)
  })

  it('is known for one at a step-up', async () => {
    const ada = await withPattern()
    const { body } = await on.stepUp(ada.accessToken, { strategy: 'pattern', pattern: 'L' })

    assert.deepEqual(body.authentication.payload.amr, ['kba', 'mfa'])
    assert.equal((await ada.ask('DELETE', '/factors/p', { token: body.accessToken })).status, 200)
  })

  it('passes the gate by itself if it says that it is two, and not otherwise', async () => {
    const ada = await withPattern()
    const signIn = (amr?: string[]) => on.client.authenticate({ strategy: 'card', email: ada.email, amr })
    const { status, body } = await signIn(['sc', 'pin', 'mfa'])

    assert.equal(status, 201)
    assert.deepEqual(body.authentication.payload.amr, ['sc', 'pin', 'mfa'])
    assert.equal(body.authentication.amr, undefined)
    assert.equal(outcome(await signIn(['sc'])), '401 factor')
    assert.equal(outcome(await signIn()), '401 factor')
  })
})
