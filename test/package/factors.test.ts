import { LocalStrategy } from '@feathersjs/authentication-local'
import { transform } from 'esbuild'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { factors } from '../../src/factors/index.js'
import { runCode, snippet } from '../support/documents.js'
import { authenticator, factorClient, factorSecret } from '../support/factors.js'
import { outcome } from '../support/rest.js'
import { oneApp, password } from '../support/two-apps.js'

const settings = {
  authStrategies: ['jwt', 'local', 'totp', 'recovery-code'],
  factors: { secret: factorSecret }
}

/** What the page says to configure. */
async function secondFactors(): Promise<(app: object) => void> {
  const { code } = await transform(snippet('docs/factors.md', "from 'moult/factors'"), { loader: 'ts' })

  return runCode(code.replace('export const', 'const'), { factors }, 'secondFactors')
}

describe("second factors in somebody else's app", () => {
  let side: Awaited<ReturnType<typeof oneApp>>
  let on: ReturnType<typeof factorClient>
  // The app's clock is the real one: codes are those of now, and a step later
  const real = { clock: { now: Date.now(), advance() {} } }

  before(async () => {
    const configure = await secondFactors()

    side = await oneApp({ settings, configure })
    on = factorClient(side.address)
  })
  after(() => side.stop())

  const guarded = async () => {
    const user = await side.add()
    const { accessToken: token } = await side.login(user.email)
    const begun = await on.client.ask('POST', '/factors', { token, body: { kind: 'totp' } })

    assert.equal(begun.status, 201, JSON.stringify(begun.body))
    real.clock.now = Date.now()

    const app = authenticator(real, begun.body.secret)
    const { status, body } = await on.client.ask('PATCH', `/factors/${begun.body.id}`, {
      token,
      body: { code: app.code() }
    })

    assert.equal(status, 200)
    return {
      user,
      token,
      app,
      uri: begun.body.uri,
      id: body.id,
      recoveryCodes: body.recoveryCodes as string[]
    }
  }

  it('are asked for at the gate by the hooks of sessions alone', async () => {
    const { user, app, recoveryCodes, uri } = await guarded()
    const first = await on.client.authenticate({ strategy: 'local', email: user.email, password })

    assert.match(uri, /^otpauth:\/\/totp\/Example:/)
    assert.equal(outcome(first), '401 factor')
    assert.deepEqual(first.body.data.factors, ['totp', 'recovery-code'])

    const { status, body } = await on.totp(first.body.data.challenge, app.code(1))

    assert.equal(status, 201)
    assert.deepEqual(body.authentication.payload.amr, ['pwd', 'otp', 'mfa'])
    assert.equal(body.user.email, user.email)

    const again = await on.client.authenticate({ strategy: 'local', email: user.email, password })

    assert.equal((await on.recover(again.body.data.challenge, recoveryCodes[0]!)).status, 201)
  })

  it('are shown to nobody, and written by nobody, through its own users service', async () => {
    const { user, token } = await guarded()
    const path = `/users/${user._id}`

    for (const field of ['factors', 'recoveryCodes', 'pendingFactor', 'passkeyHandle']) {
      const { body } = await on.client.ask('GET', path, { token })

      assert.ok(!(field in body), field)
      assert.equal((await on.client.ask('PATCH', path, { token, body: { [field]: [] } })).status, 400, field)
      assert.equal((await on.client.ask('GET', `/users?${field}.kind=totp`, { token })).status, 400, field)
    }

    const { user: known } = (await side.whoami(token)).body

    assert.ok(!('factors' in known || 'recoveryCodes' in known))
  })

  it('are changed with a recent sign-in only, and well formed requests', async () => {
    const { user, token } = await guarded()
    const { body } = await on.client.ask('POST', '/factors', { token, body: { kind: 'totp' } })

    assert.equal(body.data.reason, 'step-up')
    assert.equal((await on.client.ask('GET', '/factors', { token })).body.length, 2)

    const other = await side.add()
    const { accessToken } = await side.login(other.email)
    const ask = (method: string, path: string, data?: object) =>
      on.client.ask(method, path, { token: accessToken, ...(data && { body: data }) })

    assert.equal((await ask('POST', '/factors', { kind: 'sms' })).status, 400)
    assert.equal((await ask('PATCH', '/factors/x', { code: 1 })).status, 400)
    assert.equal((await ask('PATCH', '/factors', { code: '1' })).status, 400)
    assert.equal((await ask('DELETE', '/factors')).status, 400)
    assert.ok(user)
  })

  it('is needed by a strategy of ours, and a strategy of ours needs the key', async () => {
    await assert.rejects(oneApp({ settings: { authStrategies: ['jwt', 'local', 'totp'] } }), {
      message: /authentication\.factors\.secret is missing, which the strategy "totp" needs/
    })
    await assert.rejects(oneApp({ configure: (app) => app.configure(factors()) }), {
      message: /authentication\.factors\.secret is missing/
    })
  })
})

describe("somebody else's app that has fields of the same name", () => {
  it('keeps them where there is no key for factors', async () => {
    const side = await oneApp({ strategies: () => ({ local: new LocalStrategy() }) })

    try {
      const user = await side.add({ factors: [2, 3, 5], recoveryCodes: 'none' })
      const { accessToken: token, user: shown } = await side.login(user.email)

      assert.deepEqual(shown.factors, [2, 3, 5])

      const { body } = await side.client.ask('GET', `/users/${user._id}`, { token })

      assert.equal(body.recoveryCodes, 'none')
    } finally {
      await side.stop()
    }
  })

  it('refuses a user with a factor whom nothing could ask for it', async () => {
    const side = await oneApp()

    try {
      const user = await side.add()

      await side.users.updateOne({ _id: user._id }, { $set: { factors: [{ id: 'x', kind: 'totp' }] } })

      const { status, body } = await side.client.authenticate({
        strategy: 'local',
        email: user.email,
        password
      })

      assert.equal(status, 401)
      assert.deepEqual(body.data, { reason: 'factor', factors: ['totp'] })
      assert.equal(
        outcome(await side.client.authenticate({ strategy: 'totp', challenge: 'any', code: '123456' })),
        '401'
      )
      assert.equal(
        outcome(await side.client.authenticate({ strategy: 'local', email: user.email, password: 'x' })),
        '401'
      )
    } finally {
      await side.stop()
    }
  })
})
