import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { TestApp } from '../../support/app.js'
import { passkeyAccounts, startPasskeyApp } from '../../support/passkeys.js'
import { fieldsOf, stored } from '../../support/people.js'
import { atOnce, outcome, tally } from '../../support/rest.js'

const random = () => randomBytes(64).toString('base64url')

let t: TestApp
let accounts: ReturnType<typeof passkeyAccounts>

before(async () => {
  t = await startPasskeyApp()
  accounts = passkeyAccounts(t)
})
after(() => t.stop())

describe('strategy=passkey', () => {
  it('signs in whoever has the passkey, with a session as any sign-in', async () => {
    const { person, device, passkey } = await accounts.owner()
    const { status, body } = await accounts.signIn(device, {}, { device: { id: 'phone', name: 'Phone' } })

    assert.equal(status, 201)
    assert.equal(body.user.email, person.email)
    assert.equal(body.session.strategy, 'passkey')
    assert.equal(body.session.device.name, 'Phone')
    assert.deepEqual(body.authentication.payload.amr, ['pop', 'user', 'mfa'])
    assert.equal((await accounts.client.refresh(body.refreshToken)).status, 201)

    const [listed] = (await person.ask('GET', '/passkeys')).body

    assert.deepEqual(listed, { ...passkey, usedAt: new Date(t.clock.now).toISOString() })
  })

  it('signs in with any of several passkeys', async () => {
    const { person, device } = await accounts.owner()
    const other = accounts.device()

    assert.equal((await accounts.add(person, other)).status, 201)

    for (const one of [device, other]) {
      assert.equal((await accounts.signIn(one)).body.user.email, person.email)
    }
  })

  for (const [what, oddities] of Object.entries({
    'of a foreign origin': { origin: 'https://evil.example' },
    'of a subdomain': { origin: 'http://evil.localhost' },
    'of another domain': { rpId: 'evil.example' },
    'in a foreign frame': { crossOrigin: true },
    'without the presence of a user': { up: false },
    'without verification of the user': { uv: false },
    'with the handle of another account': { userHandle: random() },
    'without a handle': { userHandle: undefined },
    'with an unknown passkey': { credentialId: random() },
    'of another challenge': { challenge: random() },
    'of a passkey that has become copyable': { backupEligible: true }
  })) {
    it(`refuses an assertion ${what}, and says no more than that`, async () => {
      const { device } = await accounts.owner()
      const answer = await accounts.signIn(device, oddities)

      assert.equal(outcome(answer), '401 invalid')
      assert.deepEqual(answer.body.data, { reason: 'invalid' })
      assert.equal((await accounts.signIn(device)).status, 201)
    })
  }

  it('refuses a passkey that claims the id of another’s', async () => {
    const [ada, eve] = [await accounts.owner(), await accounts.owner()]
    const { credentialId, userHandle } = ada.device.passkeys[0]!

    assert.equal(outcome(await accounts.signIn(eve.device, { credentialId, userHandle })), '401 invalid')
  })

  it('takes a challenge once: an assertion can’t be replayed', async () => {
    const { device } = await accounts.owner()
    const { id, options } = await accounts.challenge('sign-in')
    const response = device.get(options)

    assert.equal((await accounts.use(id, response)).status, 201)
    assert.equal(outcome(await accounts.use(id, response)), '401 expired')
    assert.equal(outcome(await accounts.use(id, device.get(options))), '401 expired')

    const other = await accounts.challenge('sign-in')

    assert.equal(outcome(await accounts.use(other.id, response)), '401 invalid')
  })

  it('takes a challenge for five minutes', async () => {
    const { device } = await accounts.owner()
    const [good, late] = [await accounts.challenge('sign-in'), await accounts.challenge('sign-in')]

    t.clock.advance(5 * 60_000 - 1)
    assert.equal((await accounts.use(good.id, device.get(good.options))).status, 201)
    t.clock.advance(1)
    assert.equal(outcome(await accounts.use(late.id, device.get(late.options))), '401 expired')
  })

  it('takes no challenge that was changed, or made for something else', async () => {
    const { person, device } = await accounts.owner()
    const { id, options } = await accounts.challenge('sign-in')
    const [kid, payload, mac] = id.split('.')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    const later = Buffer.from(JSON.stringify({ ...claims, expiresAt: claims.expiresAt + 1 }))

    for (const changed of [
      'x',
      `${kid}.${payload}`,
      `${kid}.${payload}.`,
      `${kid}..${mac}`,
      `.${payload}.${mac}`,
      `${id}.${mac}`,
      `${kid}.${later.toString('base64url')}.${mac}`
    ]) {
      assert.equal(outcome(await accounts.use(changed, device.get(options))), '401 invalid')
    }

    for (const purpose of ['register', 'step-up', 'sign-up']) {
      const other = await accounts.challengeFor(person, purpose)

      assert.equal(
        outcome(await accounts.use(other.id, device.get({ ...options, challenge: other.options.challenge }))),
        '401 expired'
      )
    }
  })

  it('refuses a disabled account', async () => {
    const { person, device } = await accounts.owner()

    await t.app.service('users').patch(person.id, { disabled: true })
    assert.equal(outcome(await accounts.signIn(device)), '401 disabled')
  })

  it('names the field of a malformed request', async () => {
    const { device } = await accounts.owner()
    const { id, options } = await accounts.challenge('sign-in')
    const response: any = device.get(options)

    for (const [body, field] of [
      [{ response }, 'challenge'],
      [{ challenge: { $ne: '' }, response }, 'challenge'],
      [{ challenge: id }, 'response'],
      [{ challenge: id, response: { ...response, id: { $ne: '' } } }, 'response.id'],
      [
        { challenge: id, response: { ...response, response: { ...response.response, signature: null } } },
        'response.response.signature'
      ],
      [{ challenge: id, response, userId: '1' }, 'userId']
    ] as [object, string][]) {
      const answer = await accounts.client.authenticate({ strategy: 'passkey', ...body })

      assert.equal(answer.status, 400)
      assert.ok(fieldsOf(answer).includes(field), fieldsOf(answer).join())
    }
  })

  it('notes the counter, and accepts one that does not grow', async () => {
    const { person, device } = await accounts.owner()
    const counter = async () => (await stored(t, person.email)).factors[0].counter

    assert.equal((await accounts.signIn(device, { counter: 7 })).status, 201)
    assert.equal(await counter(), 7)
    assert.equal((await accounts.signIn(device, { counter: 5 })).status, 201)
    assert.equal(await counter(), 7)
    assert.equal((await accounts.signIn(device, { counter: 8 })).status, 201)
    assert.equal(await counter(), 8)
  })

  it('opens one session with a challenge that 50 use at once', async () => {
    const { person, device } = await accounts.owner()
    const { id, options } = await accounts.challenge('sign-in')
    const before = (await stored(t, person.email)).sessions.length
    const answers = await atOnce(50, () => accounts.use(id, device.get(options)))

    assert.deepEqual(tally(answers), { '201': 1, '401 expired': 49 })
    assert.equal((await stored(t, person.email)).sessions.length, before + 1)
  })
})
