import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { merge, startApp, type TestApp } from '../support/app.js'
import { mailAccounts } from '../support/mail-accounts.js'
import { linkIn, mailTo, startMailbox, type Mailbox } from '../support/mailbox.js'
import { startOAuthProvider, type OAuthProvider } from '../support/oauth-provider.js'
import { stored } from '../support/people.js'
import { freePort } from '../support/process.js'
import { outcome } from '../support/rest.js'
import { fragmentOf, visitor } from '../support/visitor.js'

const newPassword = 'another horse battery'

describe('OAuth accounts and addresses, with mail', () => {
  let mailbox: Mailbox
  let provider: OAuthProvider
  let t: TestApp
  let accounts: ReturnType<typeof mailAccounts>
  let lastId = 0

  before(async () => {
    const port = await freePort()

    ;[mailbox, provider] = await Promise.all([startMailbox(), startOAuthProvider()])
    t = await startApp({
      settings: merge(mailTo(mailbox), {
        port,
        authentication: {
          oauth: {
            redirect: 'https://app.example.com',
            defaults: { origin: `http://localhost:${port}` },
            example: provider.settings
          },
          'refresh-token': { strategies: ['local', 'example'] }
        }
      })
    })
    accounts = mailAccounts(t, mailbox)
  })
  after(async () => {
    await t.stop()
    await mailbox.close()
    await provider.stop()
  })

  /** Signs in at the provider: what the page gets. */
  async function signIn(profile: object): Promise<Record<string, string>> {
    provider.profile = { id: ++lastId, ...profile }

    return fragmentOf(await visitor().follow(`${t.address}/oauth/example`))
  }

  it('counts an address as verified only if the provider has verified it', async () => {
    const [one, other] = [`${randomUUID()}@example.com`, `${randomUUID()}@example.com`]

    await signIn({ email: one, email_verified: true })
    await signIn({ email: other })

    assert.equal((await stored(t, one)).emailVerified, true)
    assert.equal((await stored(t, other)).emailVerified, false)
    assert.equal(linkIn(await mailbox.next(other)).purpose, 'verify-email')
    assert.equal(mailbox.count(one), 0)
  })

  it('links an account with the same address if both sides have verified it', async () => {
    const ada = await accounts.verified()
    const { access_token: token } = await signIn({ email: ada.email.toUpperCase(), email_verified: true })

    assert.ok(token)
    assert.deepEqual((await stored(t, ada.email)).identities, { example: String(lastId) })
    assert.equal((await accounts.client.signIn(ada.email)).status, 201)
  })

  it('links nothing if only one side has', async () => {
    const [verified, { person }] = [await accounts.verified(), await accounts.unverified()]

    for (const profile of [{ email: verified.email }, { email: person.email, email_verified: true }]) {
      assert.match((await signIn(profile)).error!, /There is an account with this email already/)
      assert.equal((await stored(t, profile.email)).identities, undefined)
    }
  })

  it('gives nothing to somebody who claimed an address first: by a password', async () => {
    const { person } = await accounts.unverified()

    // The owner comes by way of the provider, is told of an account, and gets in by mail
    assert.ok((await signIn({ email: person.email, email_verified: true })).error)
    await accounts.reset(await accounts.resetLink(person.email), newPassword)

    assert.equal((await accounts.client.signIn(person.email)).status, 401)
    assert.equal(outcome(await accounts.client.refresh(person.refreshToken)), '401 revoked')
    assert.ok((await signIn({ email: person.email, email_verified: true })).access_token)
  })

  it('gives nothing to somebody who claimed an address first: by a provider that does not verify', async () => {
    const email = `${randomUUID()}@example.com`
    const { refresh_token: token } = await signIn({ email })
    const attacker = lastId

    await mailbox.next(email)
    await accounts.reset(await accounts.resetLink(email), newPassword)

    assert.equal(outcome(await accounts.client.refresh(token!)), '401 revoked')
    assert.equal((await stored(t, email)).identities, undefined)
    provider.profile = { id: attacker, email }
    assert.ok(fragmentOf(await visitor().follow(`${t.address}/oauth/example`)).error)
    assert.equal((await accounts.client.signIn(email, { password: newPassword })).status, 201)
  })

  it('opens no session where sign-ins need a verified address, and neither side has verified it', async () => {
    const email = `${randomUUID()}@example.com`

    t.app.set('accounts', { ...t.app.get('accounts'), verified: 'sign-in' })

    try {
      const refused = await signIn({ email })

      assert.equal(refused.access_token, undefined)
      assert.equal(refused.error, 'The email address has not been verified')
      assert.deepEqual((await stored(t, email)).sessions, [])

      // As often as it is tried
      provider.profile = { id: lastId, email }
      assert.ok(fragmentOf(await visitor().follow(`${t.address}/oauth/example`)).error)
      assert.ok((await signIn({ email: `${randomUUID()}@example.com`, email_verified: true })).access_token)
      await mailbox.next(email)
      await accounts.reset(await accounts.resetLink(email), newPassword)
      assert.equal((await accounts.client.signIn(email, { password: newPassword })).status, 201)
    } finally {
      t.app.set('accounts', { ...t.app.get('accounts'), verified: 'no' })
    }
  })

  it('gives nobody an address that its former owner may still take back', async () => {
    const ada = await accounts.verified()

    await ada.ask('PATCH', `/users/${ada.id}`, {
      body: { email: `${randomUUID()}@example.com`, currentPassword: 'correct horse battery' }
    })

    const { pendingEmail } = await stored(t, ada.email)
    const link = linkIn(await mailbox.next(pendingEmail))

    await accounts.verify(link, { password: 'correct horse battery' })
    assert.match((await signIn({ email: ada.email, email_verified: true })).error!, /There is an account/)
  })
})
