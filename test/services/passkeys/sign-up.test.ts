import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { withApp, type TestApp } from '../../support/app.js'
import type { Authenticator, Oddities } from '../../support/authenticator.js'
import { linkIn, mailTo, startMailbox, type Mailbox } from '../../support/mailbox.js'
import { passkeyAccounts, startPasskeyApp } from '../../support/passkeys.js'
import { fieldsOf, stored } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, outcome, password, restClient, tally, type Answer } from '../../support/rest.js'

const newEmail = () => `${randomUUID()}@example.com`

/** Signs up with a passkey. */
async function signUp(
  t: TestApp,
  device: Authenticator,
  { oddities = {}, email = newEmail(), ...more }: { oddities?: Oddities; email?: string; name?: string } = {}
): Promise<Answer & { email: string }> {
  const { client, challenge } = passkeyAccounts(t)
  const { id, options } = await challenge('sign-up')
  const answer = await client.ask('POST', '/users', {
    body: { email, passkey: { challenge: id, response: device.create(options, oddities) }, ...more }
  })

  return { ...answer, email }
}

describe('signing up with a passkey', () => {
  let t: TestApp
  let accounts: ReturnType<typeof passkeyAccounts>

  before(async () => {
    t = await startPasskeyApp()
    accounts = passkeyAccounts(t)
  })
  after(() => t.stop())

  it('makes an account without a password, which the passkey signs in to', async () => {
    const device = accounts.device()
    const { status, body, email } = await signUp(t, device, { name: 'Ada' })

    assert.equal(status, 201)
    assert.deepEqual(
      Object.keys(body).toSorted(),
      Object.keys(await accounts.client.signUp())
        .toSorted()
        .concat('name')
        .toSorted()
    )
    assert.equal(body.email, email)

    const { password: hash, factors, passkeyHandle } = await stored(t, email)

    assert.equal(hash, undefined)
    assert.equal(factors.length, 1)
    assert.equal(Buffer.from(passkeyHandle, 'base64url').length, 64)

    const signedIn = await accounts.signIn(device)

    assert.equal(signedIn.status, 201)
    assert.equal(signedIn.body.user.name, 'Ada')
  })

  it('leaves no way in by a password', async () => {
    const { email } = await signUp(t, accounts.device())

    assert.equal(outcome(await accounts.client.signIn(email)), '401')
    assert.equal(
      outcome(await accounts.client.authenticate({ strategy: 'local', email, password: '' })),
      '401'
    )
  })

  it('asks for a passkey that signs in by itself', async () => {
    const { options } = await accounts.challenge('sign-up')
    const { options: other } = await accounts.challenge('sign-up')

    assert.deepEqual(options.authenticatorSelection, {
      residentKey: 'required',
      requireResidentKey: true,
      userVerification: 'required'
    })
    assert.notEqual(options.user.id, other.user.id)
    assert.equal(outcome(await signUp(t, accounts.device(), { oddities: { uv: false } })), '400 invalid')
  })

  it('refuses what is wrong, and stores nothing', async () => {
    for (const oddities of [{ origin: 'https://evil.example' }, { rpId: 'evil.example' }, { up: false }]) {
      const answer = await signUp(t, accounts.device(), { oddities })

      assert.equal(outcome(answer), '400 invalid')
      await assert.rejects(stored(t, answer.email))
    }
  })

  it('takes a challenge once, and none of another purpose', async () => {
    const { person } = await accounts.owner()
    const { id, options } = await accounts.challenge('sign-up')
    const use = (challenge: string, options: any) =>
      accounts.client.ask('POST', '/users', {
        body: { email: newEmail(), passkey: { challenge, response: accounts.device().create(options) } }
      })

    assert.deepEqual(tally(await atOnce(20, () => use(id, options))), { '201': 1, '400 expired': 19 })

    const register = await accounts.challengeFor(person, 'register')

    assert.equal(outcome(await use(register.id, register.options)), '400 expired')
    assert.equal(outcome(await use('made.up', options)), '400 invalid')
  })

  it('refuses a taken email', async () => {
    const { email } = await accounts.client.signUp()
    const { status, body } = await signUp(t, accounts.device(), { email })

    assert.equal(status, 409)
    assert.deepEqual(body.errors, [{ field: 'email', message: 'is taken' }])
  })

  it('refuses a passkey that is known, also of many at once', async () => {
    await rounds(async () => {
      const oddities = { credentialId: Buffer.from(randomUUID()).toString('base64url') }
      const answers = await atOnce(6, () => signUp(t, accounts.device(), { oddities }))

      assert.deepEqual(tally(answers), { '201': 1, '409': 5 })

      for (const { status, body } of answers.filter(({ status }) => status === 409)) {
        assert.equal(status, 409)
        assert.equal(body.message, 'The passkey is known already')
      }
    })
  })

  it('takes either a passkey or a password', async () => {
    const { id, options } = await accounts.challenge('sign-up')
    const passkey = { challenge: id, response: accounts.device().create(options) }

    for (const [body, field] of [
      [{ email: newEmail(), passkey, password }, 'password'],
      [{ email: newEmail() }, 'password'],
      [{ email: newEmail(), passkey: {} }, 'passkey.challenge'],
      [{ email: newEmail(), passkey: null }, 'passkey'],
      [{ email: newEmail(), passkey: { ...passkey, response: { $ne: '' } } }, 'passkey.response.id'],
      [{ email: newEmail(), factors: [], password }, 'factors'],
      [{ passkey }, 'email']
    ] as [object, string][]) {
      const answer = await accounts.client.ask('POST', '/users', { body })

      assert.equal(answer.status, 400)
      assert.ok(fieldsOf(answer).includes(field), fieldsOf(answer).join())
    }
  })

  it('is an unknown field without passkeys', async () => {
    await withApp({}, async (plain) => {
      const body = { email: newEmail(), passkey: {} }
      const answer = await restClient(plain.address).ask('POST', '/users', { body })

      assert.equal(answer.status, 400)
      assert.ok(fieldsOf(answer).includes('passkey'))
    })
  })
})

describe('signing up with a passkey, where only verified addresses sign in', () => {
  let mailbox: Mailbox
  let t: TestApp

  before(async () => {
    mailbox = await startMailbox()
    t = await startPasskeyApp({ settings: mailTo(mailbox, { accounts: { verified: 'sign-in' } }) })
  })
  after(async () => {
    await t.stop()
    await mailbox.close()
  })

  it('answers the same for a taken address, which hears of it', async () => {
    const first = await signUp(t, passkeyAccounts(t).device())

    linkIn(await mailbox.next(first.email))

    const again = await signUp(t, passkeyAccounts(t).device(), { email: first.email })

    assert.equal(again.status, 201)
    assert.deepEqual(Object.keys(again.body).toSorted(), Object.keys(first.body).toSorted())
    assert.match((await mailbox.next(first.email)).subject, /./)
    assert.equal((await stored(t, first.email)).factors.length, 1)
  })

  it('refuses a known passkey, whether or not the address is taken', async () => {
    const device = passkeyAccounts(t).device()
    const { email } = await signUp(t, device)
    const oddities = { credentialId: device.passkeys[0]!.credentialId }
    const taken = await signUp(t, passkeyAccounts(t).device(), { email, oddities })
    const free = await signUp(t, passkeyAccounts(t).device(), { oddities })

    assert.equal(free.status, 409)
    assert.equal(taken.status, 409)
    assert.deepEqual(taken.body, free.body)
  })

  it('signs in once the address is verified, which takes the passkey', async () => {
    const accounts = passkeyAccounts(t)
    const [device, other] = [accounts.device(), accounts.device()]
    const { email } = await signUp(t, device)
    const { id, token } = linkIn(await mailbox.next(email))

    await signUp(t, other)
    assert.equal(outcome(await accounts.signIn(device)), '401 unverified')

    const verify = async (device?: Authenticator, oddities: Oddities = {}) => {
      const { id: challenge, options } = await accounts.challenge('sign-in')
      const passkey = device && { challenge, response: device.get(options, oddities) }

      return accounts.client.ask('PATCH', `/email-verifications/${id}`, { body: { token, passkey } })
    }

    for (const answer of [
      await verify(),
      await verify(other),
      await verify(device, { uv: false }),
      await verify(device, { origin: 'https://evil.example' })
    ]) {
      assert.equal(outcome(answer), '401')
    }

    assert.equal((await verify(device)).status, 200)
    assert.equal((await accounts.signIn(device)).status, 201)
  })
})
