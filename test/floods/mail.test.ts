import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { mailAccounts } from '../support/mail-accounts.js'
import { linkIn, mailTo, startMailbox, type Mailbox } from '../support/mailbox.js'
import { atOnce, tally } from '../support/rest.js'
import { until } from '../support/until.js'

const off = { signIn: false, signUp: false, refresh: false }

describe('mails that anybody can request', () => {
  let mailbox: Mailbox
  let t: TestApp
  let accounts: ReturnType<typeof mailAccounts>

  before(async () => {
    mailbox = await startMailbox()
  })
  after(() => mailbox.close())

  async function start(mail: object): Promise<void> {
    t = await startApp({ settings: mailTo(mailbox, { rateLimit: { ...off, mail } }) })
    accounts = mailAccounts(t, mailbox)
  }

  const allSent = () =>
    until(
      'all are done',
      async () => (await t.db.collection('outbox').countDocuments({ dueAt: { $exists: true } })) === 0
    )

  describe('to one mailbox', () => {
    before(() => start({ account: { limit: 5, per: '1h' }, address: false, codes: false }))
    after(() => t.stop())

    it('are limited, silently: the answers are the same, and other mailboxes get theirs', async () => {
      const [ada, grace] = [await accounts.unverified(), await accounts.unverified()]
      const answers = await atOnce(20, () => accounts.askForReset(ada.person.email.toUpperCase()))

      assert.deepEqual(tally(answers), { '201': 20 })
      assert.deepEqual(new Set(answers.map(({ body }) => JSON.stringify(body))), new Set(['{}']))
      await allSent()
      // With that of the sign-up
      assert.ok(mailbox.count(ada.person.email) <= 5)

      await accounts.askForReset(grace.person.email)
      await mailbox.next(grace.person.email)
    })

    it('are limited across all kinds', async () => {
      const { person } = await accounts.unverified()

      for (let round = 0; round < 5; round++) {
        await accounts.askForReset(person.email)
        await accounts.client.ask('POST', '/email-verifications', { body: { email: person.email } })
        await accounts.client.signUp({ email: person.email })
      }

      await allSent()
      assert.ok(mailbox.count(person.email) <= 5)
    })

    it('invalidate no mailed link once they are beyond the limit', async () => {
      const { email } = await accounts.verified()
      let link = await accounts.resetLink(email)

      // One was for the sign-up
      for (let round = 0; round < 3; round++) {
        link = await accounts.resetLink(email)
      }

      await atOnce(5, () => accounts.askForReset(email))
      await allSent()
      assert.equal(mailbox.count(email), 5)
      assert.equal((await accounts.reset(link, 'another horse battery')).status, 200)
    })

    it('leave room for the signed-in user', async () => {
      const { person } = await accounts.unverified()

      await atOnce(20, () => accounts.askForReset(person.email))
      await allSent()

      const before = mailbox.count(person.email)

      assert.equal((await person.ask('POST', '/email-verifications', { body: {} })).status, 201)
      await until('it came', () => mailbox.count(person.email) === before + 1)
      await person.ask('POST', '/password-resets', { body: { email: person.email } })
      await until('it came', () => mailbox.count(person.email) === before + 2)
    })

    it('do not hold back mails about changes', async () => {
      const { email } = await accounts.verified()
      const link = await accounts.resetLink(email)

      await atOnce(10, () => accounts.askForReset(email))
      await allSent()
      // A newer link may have taken its place
      void link
      const newest = mailbox.mails.findLast(({ to, subject }) => to === email && /Choose/.test(subject))!

      assert.equal((await accounts.reset(linkIn(newest), 'another horse battery')).status, 200)
      await until('it came', () =>
        mailbox.mails.some(({ to, subject }) => to === email && subject === 'Your password has been changed')
      )
    })
  })

  describe('by one client', () => {
    before(() => start({ account: false, address: { limit: 3, per: '1h' }, codes: false }))
    after(() => t.stop())

    it('are limited with a 429, across all kinds', async () => {
      const answers = [
        await accounts.askForReset('nobody@example.com'),
        await accounts.client.ask('POST', '/email-verifications', { body: { email: 'nobody@example.com' } }),
        await accounts.askForReset('nobody@example.com'),
        await accounts.askForReset('nobody@example.com')
      ]

      assert.deepEqual(
        answers.map(({ status }) => status),
        [201, 201, 201, 429]
      )
      assert.match(answers[3]!.headers.get('Retry-After')!, /^\d+$/)
    })
  })
})
