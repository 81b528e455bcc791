import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { mailAccounts } from '../support/mail-accounts.js'
import { linkIn, mailTo, startMailbox, type Mailbox } from '../support/mailbox.js'
import { newPerson } from '../support/people.js'
import { atOnce, password, restClient, tally } from '../support/rest.js'
import { poll } from '../support/socket.js'
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
      async () =>
        (await t.db.collection('users').countDocuments({ 'notices._id': { $exists: true } })) === 0 &&
        (await t.db.collection('outbox').countDocuments({ dueAt: { $exists: true } })) === 0
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

  describe('to a mailbox whose owner signed up for nothing', () => {
    before(() => start({ account: { limit: 5, per: '1h' }, address: false, codes: false }))
    after(() => t.stop())

    it('are ten an hour at most, whatever whoever claimed the address does there', async () => {
      const { person } = await accounts.unverified()
      const others = Array.from({ length: 7 }, () => `${randomUUID()}@example.com`)
      let current = password

      for (const email of others) {
        await person.ask('PATCH', `/users/${person.id}`, { body: { email, currentPassword: current } })
        await allSent()
      }
      for (let round = 0; round < 8; round++) {
        const chosen = `${password} ${round}`

        await person.ask('PATCH', `/users/${person.id}`, {
          body: { password: chosen, currentPassword: current }
        })
        current = chosen
        await accounts.client.signIn(person.email, { password: current, device: { id: `new ${round}` } })
        await accounts.askForReset(person.email)
        await person.ask('POST', '/email-verifications', { body: {} })
      }

      await allSent()
      assert.ok(mailbox.count(person.email) <= 10, `${mailbox.count(person.email)}`)

      const mailed = others.map((email) => mailbox.count(email)).filter((count) => count > 0)

      // Nor does one account reach many
      assert.deepEqual(mailed, [1, 1, 1, 1, 1])
    })

    it('are five an hour, however many accounts ask for that address', async () => {
      const email = `${randomUUID()}@example.com`

      for (let count = 0; count < 8; count++) {
        const { person } = await accounts.unverified()

        await person.ask('PATCH', `/users/${person.id}`, { body: { email, currentPassword: password } })
      }

      await allSent()
      assert.equal(mailbox.count(email), 5)
    })
  })

  describe('about what happens to an account', () => {
    before(() => start({ account: { limit: 5, per: '1h' }, address: false, codes: false }))
    after(() => t.stop())

    it('are five of a kind an hour, and those with a link to undo it always come', async () => {
      const ada = await accounts.verified()
      let current = password

      for (let round = 0; round < 8; round++) {
        const chosen = `${password} ${round}`

        await ada.ask('PATCH', `/users/${ada.id}`, { body: { password: chosen, currentPassword: current } })
        current = chosen
        await accounts.client.signIn(ada.email, { password: current, device: { id: `new ${round}` } })
        await accounts.askForReset(ada.email)
      }

      await allSent()

      const subjects = mailbox.mails.filter(({ to }) => to === ada.email).map(({ subject }) => subject)
      const count = (subject: string) => subjects.filter((other) => other === subject).length

      assert.equal(count('Your password has been changed'), 5)
      assert.equal(count('A sign-in from a new device'), 5)

      const email = `${randomUUID()}@example.com`

      await ada.ask('PATCH', `/users/${ada.id}`, { body: { email, currentPassword: current } })
      await accounts.verify(linkIn(await mailbox.next(email)), { password: current })

      const keep = await poll(
        () =>
          mailbox.mails.find(
            ({ to, subject }) => to === ada.email && subject === 'Your email address has been changed'
          ),
        'the link came',
        30_000
      )

      assert.equal((await accounts.keep(linkIn(keep))).status, 200)
    })
  })

  describe('that strangers have used up', () => {
    before(async () => {
      t = await startApp({
        settings: mailTo(mailbox, {
          proxies: 1,
          rateLimit: { ...off, mail: { account: { limit: 5, per: '1h' }, address: false, codes: false } }
        })
      })
      accounts = mailAccounts(t, mailbox)
    })
    after(() => t.stop())

    it('still come for a client that has signed in to the account before', async () => {
      const { email } = await accounts.verified()
      const ask = (address: string) =>
        accounts.client.ask('POST', '/password-resets', {
          headers: { 'X-Forwarded-For': address },
          body: { email }
        })

      await accounts.client.ask('POST', '/authentication', {
        headers: { 'X-Forwarded-For': '203.0.113.7' },
        body: { strategy: 'local', email, password }
      })
      await poll(
        () => t.db.collection('events').findOne({ type: 'signed-in', 'device.ip': '203.0.113.7' }),
        'it is known',
        30_000
      )
      await atOnce(20, (index) => ask(`203.0.113.${100 + index}`))
      await allSent()

      const before = mailbox.count(email)

      assert.equal(before, 5)
      await ask('203.0.113.7')
      await until('it came', () => mailbox.count(email) === before + 1)
      await ask('203.0.113.8')
      await allSent()
      assert.equal(mailbox.count(email), before + 1)
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

    it('count with those for sign-ups and changes of address', async () => {
      await withApp(
        {
          settings: mailTo(mailbox, {
            rateLimit: { ...off, mail: { account: false, address: { limit: 3, per: '1h' }, codes: false } }
          })
        },
        async (other) => {
          const person = await newPerson(other)
          const change = (body: object) =>
            person.ask('PATCH', `/users/${person.id}`, { body: { currentPassword: password, ...body } })
          const email = () => `${randomUUID()}@example.com`

          assert.equal((await change({ email: email() })).status, 200)
          assert.equal((await change({ name: 'Ada' })).status, 200)
          assert.equal((await change({ email: email() })).status, 200)
          assert.equal((await change({ email: email() })).status, 429)
          assert.equal(
            (await restClient(other.address).ask('POST', '/users', { body: { email: email(), password } }))
              .status,
            429
          )
        }
      )
    })
  })
})
