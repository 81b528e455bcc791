import { transform } from 'esbuild'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { factors } from '../../src/factors/index.js'
import { passkeys, signUpWithPasskey } from '../../src/passkeys/index.js'
import { authenticator, type Authenticator } from '../support/authenticator.js'
import { runCode, snippet } from '../support/documents.js'
import { factorSecret } from '../support/factors.js'
import { outcome, restClient, type RestClient } from '../support/rest.js'
import { oneApp, password } from '../support/two-apps.js'

const origin = 'https://app.example.com'
const settings = {
  authStrategies: ['jwt', 'local', 'passkey'],
  factors: { secret: factorSecret },
  passkey: { rpId: 'example.com', rpName: 'Example', origins: [origin] }
}

/** What the page says to configure. */
async function documented(): Promise<(app: object) => void> {
  const { code } = await transform(snippet('docs/passkeys.md', "from 'moult/passkeys'"), { loader: 'ts' })

  return runCode(code.replace('export const', 'const'), { passkeys, signUpWithPasskey }, 'withPasskeys')
}

describe("passkeys in somebody else's app", () => {
  let side: Awaited<ReturnType<typeof oneApp>>
  let client: RestClient

  before(async () => {
    const withPasskeys = await documented()

    side = await oneApp({
      settings,
      configure(app) {
        app.configure(factors())
        withPasskeys(app)
      }
    })
    client = restClient(side.address)
  })
  after(() => side.stop())

  async function challenge(purpose: string, more: object = {}, token?: string) {
    const { status, body } = await client.ask('POST', '/passkey-challenges', {
      body: { purpose, ...more },
      ...(token !== undefined && { token })
    })

    assert.equal(status, 201, JSON.stringify(body))
    return body
  }

  async function owner() {
    const user = await side.add()
    const { accessToken: token } = await side.login(user.email)
    const device = authenticator(origin)
    const { id, options } = await challenge('register', {}, token)
    const { status, body: passkey } = await client.ask('POST', '/passkeys', {
      token,
      body: { challenge: id, response: device.create(options), name: 'Phone' }
    })

    assert.equal(status, 201, JSON.stringify(passkey))
    return { user, token, device, passkey }
  }

  async function signIn(device: Authenticator) {
    const { id, options } = await challenge('sign-in')

    return client.authenticate({ strategy: 'passkey', challenge: id, response: device.get(options) })
  }

  it('sign in alone, and are shown to nobody', async () => {
    const { user, device, passkey } = await owner()
    const { status, body } = await signIn(device)

    assert.equal(status, 201, JSON.stringify(body))
    assert.equal(body.user.email, user.email)
    assert.deepEqual(Object.keys(body.user).toSorted(), ['_id', 'email'])
    assert.equal(passkey.recoveryCodes.length, 10)
  })

  it('answer the gate after a password, and step up', async () => {
    const { user, device, passkey } = await owner()
    const first = await client.authenticate({ strategy: 'local', email: user.email, password })

    assert.equal(outcome(first), '401 factor')

    const { id, options } = await challenge('factor', { challenge: first.body.data.challenge })
    const { body } = await client.authenticate({
      strategy: 'passkey',
      challenge: id,
      response: device.get(options)
    })

    assert.deepEqual(body.authentication.payload.amr, ['pwd', 'pop', 'user', 'mfa'])

    const stepUp = await challenge('step-up', {}, body.accessToken)
    const steppedUp = await client.ask('POST', '/authentication', {
      token: body.accessToken,
      body: {
        strategy: 'passkey',
        challenge: stepUp.id,
        response: device.get(stepUp.options),
        stepUp: true
      }
    })

    assert.equal(steppedUp.status, 201)

    const renamed = await client.ask('PATCH', `/passkeys/${passkey.id}`, {
      token: body.accessToken,
      body: { name: 'Work' }
    })

    assert.equal(renamed.body.name, 'Work')

    const removed = await client.ask('DELETE', `/passkeys/${passkey.id}`, {
      token: steppedUp.body.accessToken
    })

    assert.equal(removed.status, 200)
    assert.equal(outcome(await signIn(device)), '401 invalid')
  })

  it('sign up in place of a password', async () => {
    const device = authenticator(origin)
    const { id, options } = await challenge('sign-up')
    const { status, body } = await client.ask('POST', '/users', {
      body: {
        email: `${randomUUID()}@example.com`,
        passkey: { challenge: id, response: device.create(options) }
      }
    })

    assert.equal(status, 201, JSON.stringify(body))
    assert.deepEqual(Object.keys(body).toSorted(), ['_id', 'email'])
    assert.equal((await signIn(device)).body.user.email, body.email)

    const malformed = await client.ask('POST', '/users', {
      body: { email: `${randomUUID()}@example.com`, passkey: { challenge: 7 } }
    })

    assert.equal(malformed.status, 400)
  })

  it('refuse what is malformed, and whoever is not signed in', async () => {
    const { token } = await owner()
    const refused: [method: string, path: string, body: object | undefined, token?: string][] = [
      ['POST', '/passkey-challenges', { purpose: 'other' }],
      ['POST', '/passkey-challenges', { purpose: 'register' }],
      ['GET', '/passkeys', undefined],
      ['POST', '/passkeys', { challenge: 7 }, token],
      ['PATCH', '/passkeys/any', { name: '' }, token]
    ]
    const answers = await Promise.all(
      refused.map(([method, path, body, token]) =>
        client.ask(method, path, { ...(body && { body }), ...(token !== undefined && { token }) })
      )
    )

    assert.deepEqual(
      answers.map(({ status }) => status),
      [400, 401, 401, 400, 400]
    )
  })

  it('allow one passkey once', async () => {
    const indexes = await side.users.indexes()

    assert.ok(indexes.some(({ key, unique }) => 'factors.id' in key && unique))
  })

  it('need what they are a part of, and settings', async () => {
    const { passkey: _passkey, ...without } = settings

    await assert.rejects(oneApp({ settings, configure: (app) => app.configure(passkeys()) }), {
      message: 'Passkeys need second factors: configure factors() of moult/factors before passkeys()'
    })
    await assert.rejects(
      oneApp({
        settings: without,
        configure: (app) => app.configure(factors()).configure(passkeys())
      }),
      { message: /^authentication\.passkey is missing, but authStrategies names "passkey": / }
    )
  })
})
