import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { linkIn, mailTo, pageUrl, startMailbox, type Mailbox } from '../support/mailbox.js'
import { moultOn } from '../support/moult.js'
import { newPerson, stored } from '../support/people.js'
import { outcome, restClient, type RestClient } from '../support/rest.js'

const newPassword = 'another horse battery'

describe('moult users reset', () => {
  let mailbox: Mailbox
  let t: TestApp
  let client: RestClient

  before(async () => {
    mailbox = await startMailbox()
    t = await startApp({ settings: mailTo(mailbox) })
    client = restClient(t.address)
  })
  after(async () => {
    await t.stop()
    await mailbox.close()
  })

  const reset = (args: string[], settings: object) =>
    moultOn(t)(['users', 'reset', ...args], { env: { NODE_CONFIG: JSON.stringify(settings) } })

  /** Someone who has signed up, whose mail of that has been taken. */
  async function person() {
    const somebody = await newPerson(t)

    await mailbox.next(somebody.email)
    return somebody
  }

  const use = ({ id, token }: { id: string; token: string }) =>
    client.ask('PATCH', `/password-resets/${id}`, { body: { token, password: newPassword } })

  it('makes the running service mail a link', async () => {
    const { email } = await person()
    const { code, stdout, stderr } = await reset([email.toUpperCase()], mailTo(mailbox))

    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    t.clock.now = Date.now() // the command has a clock of its own
    assert.equal(stdout, `${email} gets a mail with a link that is valid for 30 minutes`)
    assert.equal((await use(linkIn(await mailbox.next(email)))).status, 200)
    assert.equal((await client.signIn(email, { password: newPassword })).status, 201)
  })

  it('prints the link if no SMTP server is configured, and with --link', async () => {
    const { mail, accounts } = mailTo(mailbox) as { mail: { from: string }; accounts: object }

    for (const [args, settings] of [
      [[], { mail: { from: mail.from }, accounts }],
      [['--link'], { mail, accounts }]
    ] as const) {
      const { email } = await person()
      const { code, stdout } = await reset([email, ...args, '--json'], settings)
      const { link } = JSON.parse(stdout)

      assert.equal(code, 0)
      assert.ok(link.startsWith(`${pageUrl}#password-reset=`))
      assert.equal(mailbox.count(email), 1)

      // Not over REST, where a token that is sent is looked for in all output: here it is printed on purpose
      const { id, token } = linkIn({ text: link })

      await t.app.service('password-resets').patch(id, { token, password: newPassword })
      assert.equal((await client.signIn(email, { password: newPassword })).status, 201)
    }
  })

  it('prints a link without mail, too, which sets the password and leaves all else as it is', async () => {
    await withApp({}, async (bare) => {
      const { email, refreshToken } = await newPerson(bare)
      const guest = restClient(bare.address)

      await bare.db.collection('users').updateOne({ email }, { $set: { identities: { google: 'hers' } } })

      const { code, stdout } = await moultOn(bare)(['users', 'reset', email, '--json'])
      const { link } = JSON.parse(stdout)
      const { id, token } = linkIn({ text: link })

      assert.equal(code, 0)
      await bare.app.service('password-resets').patch(id, { token, password: newPassword })
      assert.equal((await guest.signIn(email, { password: newPassword })).status, 201)
      assert.equal(outcome(await guest.refresh(refreshToken)), '401 revoked')

      const { identities, emailVerified, notices } = await stored(bare, email)

      assert.deepEqual([identities, emailVerified, notices], [{ google: 'hers' }, undefined, undefined])
      assert.equal((await guest.ask('POST', '/password-resets', { body: { email } })).status, 404)
    })
  })

  it('refuses a disabled user, and an unknown one', async () => {
    const { id, email } = await person()
    const { code, stderr } = await reset(['nobody@example.com'], mailTo(mailbox))

    assert.equal(code, 1)
    assert.match(stderr, /^There is no user with the email nobody@example\.com/)
    await t.app.service('users').patch(id, { disabled: true })
    assert.match((await reset([email], mailTo(mailbox))).stderr, /is disabled: see `moult users enable`$/)
  })
})
