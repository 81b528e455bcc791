import {
  AuthenticationBaseStrategy,
  type AuthenticationRequest,
  type AuthenticationResult
} from '@feathersjs/authentication'
import { Forbidden } from '@feathersjs/errors'
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { after, before, describe, it } from 'node:test'
import type { Application } from '../../../src/declarations.js'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { newPerson, stored } from '../../support/people.js'
import { outcome, restClient, type Answer } from '../../support/rest.js'
import { decoded } from '../../support/tokens.js'

/** A developer's own strategy: signs in whoever says the magic word. */
class WordStrategy extends AuthenticationBaseStrategy {
  async authenticate({ email, word }: AuthenticationRequest): Promise<AuthenticationResult> {
    assert.equal(word, 'abracadabra')

    const [user] = await this.app!.service('users').find({ query: { email }, paginate: false })

    return { authentication: { strategy: this.name }, user }
  }
}

/** Another: an API key in a header signs each request by itself, without a session. */
class KeyStrategy extends AuthenticationBaseStrategy {
  async parse({ headers }: IncomingMessage) {
    return headers['x-api-key'] === 'the key' ? { strategy: this.name! } : null
  }

  async authenticate(): Promise<AuthenticationResult> {
    const [user] = await this.app!.service('users').find({ query: { $limit: 1 }, paginate: false })

    return { authentication: { strategy: this.name }, user }
  }
}

const withWords = (strategies: string[]) => ({
  settings: {
    authentication: {
      authStrategies: ['jwt', 'local', 'refresh-token', 'word'],
      'refresh-token': { strategies }
    }
  },
  configure: (app: Application) => app.service('authentication').register('word', new WordStrategy())
})

/** Its session lasts as long as its access token, and there is no other token. */
function assertShort({ status, body }: Answer): void {
  assert.equal(status, 201)
  assert.equal('refreshToken' in body, false)
  assert.equal(Date.parse(body.session.expiresAt), decoded(body.accessToken).claims.exp * 1000)
}

describe('strategies: []', () => {
  let t: TestApp

  before(async () => {
    t = await startApp({ settings: { authentication: { 'refresh-token': { strategies: [] } } } })
  })

  after(() => t.stop())

  it('a login has no refresh token, and a session that lasts as long as the access token', async () => {
    const client = restClient(t.address)
    const { email } = await client.signUp()
    const login = await client.signIn(email, { device: { name: 'Phone' } })
    const token = login.body.accessToken

    assertShort(login)
    assert.equal(login.body.session.device.name, 'Phone')
    assert.equal((await client.ask('GET', '/sessions', { token })).body[0].id, login.body.session.id)

    t.clock.now = Date.parse(login.body.session.expiresAt) - 1
    assert.equal((await client.ask('GET', '/sessions', { token })).status, 200)
    t.clock.advance(1)
    assert.equal(outcome(await client.ask('GET', '/sessions', { token })), '401 expired')
  })

  it('its session can be ended like any other', async () => {
    const { ask } = await newPerson(t)

    assert.equal((await ask('DELETE', '/authentication')).status, 200)
    assert.equal(outcome(await ask('GET', '/sessions')), '401 revoked')
  })

  it('two logins of one device leave two sessions', async () => {
    const device = { id: 'phone' }
    const person = await newPerson(t, 'user', { device })

    await person.signIn({ device })
    assert.equal((await stored(t, person.email)).sessions.length, 2)
  })
})

describe("a strategy of the developer's own", () => {
  it('has logins with a refresh token when `strategies` names it', () =>
    withApp(withWords(['word']), async (t) => {
      const client = restClient(t.address)
      const { email } = await client.signUp()
      const { body } = await client.authenticate({ strategy: 'word', email, word: 'abracadabra' })

      assert.equal(body.session.strategy, 'word')
      assert.equal(body.user.email, email)
      assert.equal(outcome(await client.refresh(body.refreshToken)), '201')
      assertShort(await client.signIn(email))
    }))

  it('has logins without one when `strategies` does not, which replace no session of the device', () =>
    withApp(withWords(['local']), async (t) => {
      const client = restClient(t.address)
      const device = { id: 'phone' }
      const { email, refreshToken } = await newPerson(t, 'user', { device })

      assertShort(await client.authenticate({ strategy: 'word', email, word: 'abracadabra', device }))
      assert.equal(outcome(await client.refresh(refreshToken)), '201')
    }))

  it('checks the device as every login does', () =>
    withApp(withWords([]), async (t) => {
      const answer = await restClient(t.address).authenticate({ strategy: 'word', device: { id: 7 } })

      assert.equal(outcome(answer), '400')
      assert.deepEqual(answer.body.errors, [{ field: 'device.id', message: 'must be a string' }])
    }))
})

describe("a strategy of the developer's own that signs each request", () => {
  it('needs no session, to be let in or to sign out', () =>
    withApp(
      {
        settings: { authentication: { authStrategies: ['jwt', 'local', 'refresh-token', 'key'] } },
        configure: (app) => app.service('authentication').register('key', new KeyStrategy())
      },
      async (t) => {
        const client = restClient(t.address)
        const { email, refreshToken } = await newPerson(t)
        const out = await client.ask('DELETE', '/authentication', { headers: { 'X-Api-Key': 'the key' } })

        assert.equal(outcome(out), '200')
        assert.equal(out.body.user.email, email)
        assert.equal(outcome(await client.refresh(refreshToken)), '201')
      }
    ))
})

describe('strategy=jwt', () => {
  it('answers the same access token, and never a refresh token', () =>
    withApp({}, async (t) => {
      const { accessToken, id } = await newPerson(t)
      const { status, body } = await restClient(t.address).authenticate({ strategy: 'jwt', accessToken })

      assert.equal(status, 201)
      assert.deepEqual(Object.keys(body).sort(), ['accessToken', 'authentication', 'user'])
      assert.equal(body.accessToken, accessToken)
      assert.equal(body.user._id, id)
      assert.deepEqual(body.authentication.payload, decoded(accessToken).claims)
    }))

  it('takes the token from the header, and after one of the schemes, that the settings name', () =>
    withApp(
      { settings: { authentication: { jwt: { header: 'X-Access', schemes: ['Token', 'Pass'] } } } },
      async (t) => {
        const client = restClient(t.address)
        const { accessToken } = await newPerson(t)
        const ask = (headers: Record<string, string>) => client.ask('GET', '/sessions', { headers })

        assert.equal(outcome(await ask({ 'X-Access': `Token ${accessToken}` })), '200')
        assert.equal(outcome(await ask({ 'X-Access': `pass  ${accessToken}` })), '200')
        assert.equal(outcome(await ask({ 'X-Access': `Bearer ${accessToken}` })), '401')
        assert.equal(outcome(await ask({ 'X-Access': accessToken })), '200')
        assert.equal(outcome(await ask({ Authorization: `Token ${accessToken}` })), '401')
      }
    ))
})

describe('a hook of the entity service that refuses', () => {
  it('refuses the login, in its own words', () =>
    withApp(
      {
        configure: (app) =>
          app.service('users').hooks({
            before: {
              get: [
                async ({ params }) => {
                  if (params.provider) {
                    throw new Forbidden('Confirm your email first')
                  }
                }
              ]
            }
          })
      },
      async (t) => {
        const client = restClient(t.address)
        const { email } = await client.signUp()
        const { status, body } = await client.signIn(email)

        assert.equal(status, 403)
        assert.equal(body.message, 'Confirm your email first')
        assert.deepEqual((await stored(t, email)).sessions, [])
      }
    ))
})
