import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { ObjectId } from 'mongodb'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { linkIn, mailTo, startMailbox, type Mailbox } from '../support/mailbox.js'
import { atOnce, restClient } from '../support/rest.js'
import { poll } from '../support/socket.js'
import { until } from '../support/until.js'

/** A new user, whose mail of the sign-up has been taken. */
async function signedUp(t: TestApp, mailbox: Mailbox): Promise<string> {
  const { email } = await restClient(t.address).signUp()

  await mailbox.next(email)
  return email
}

const ask = (t: TestApp, email: string) =>
  restClient(t.address).ask('POST', '/password-resets', { body: { email } })

const waiting = (t: TestApp) => t.db.collection('outbox').countDocuments({ dueAt: { $exists: true } })

describe('the outbox', () => {
  let mailbox: Mailbox
  let t: TestApp

  before(async () => {
    mailbox = await startMailbox()
    t = await startApp({ settings: mailTo(mailbox) })
  })
  after(async () => {
    await t.stop()
    await mailbox.close()
  })
  beforeEach(() => {
    mailbox.behaviour = 'accept'
  })

  it('sends a mail as text and HTML, from and to one address', async () => {
    const { email } = await restClient(t.address).signUp()
    const mail = await mailbox.next(email)

    assert.equal(mail.from, '"Example" <hello@example.com>')
    assert.deepEqual(mail.recipients, [email])
    assert.equal(mail.subject, 'Confirm your email address')
    assert.equal(mail.headers.get('auto-submitted'), 'auto-generated')
    assert.match(mail.messageId, /^<[0-9a-f]{24}@app\.example\.com>$/)
    assert.ok(mail.html.includes(linkIn(mail).token))
    await until('the outbox is empty', async () => (await waiting(t)) === 0)
  })

  it('refers to nothing in HTML: no pictures, fonts, scripts or trackers', async () => {
    const { email } = await restClient(t.address).signUp()
    const { html } = await mailbox.next(email)
    const addresses = [...html.matchAll(/(?:src|href|url\()=?["']?([^"')]+)/g)].map(([, address]) => address!)

    assert.doesNotMatch(html, /<(img|script|link|iframe|object|form)/)
    assert.ok(addresses.length > 0)
    assert.deepEqual(
      addresses.filter((address) => !address.startsWith('https://app.example.com/account#')),
      []
    )
    assert.match(html, /prefers-color-scheme: dark/)
  })

  it('stores no token, neither before nor after a mail is sent', async () => {
    const email = await signedUp(t, mailbox)

    mailbox.behaviour = 'refuse for now'
    await ask(t, email)
    await until(
      'an attempt failed',
      async () =>
        (await t.db
          .collection('outbox')
          .countDocuments({ email, attempts: 1, claim: { $exists: false } })) === 1
    )

    const before = JSON.stringify(await t.db.collection('outbox').find().toArray())

    mailbox.behaviour = 'accept'
    t.clock.advance(5000)

    const { token } = linkIn(await mailbox.next(email))
    const user = JSON.stringify(await t.db.collection('users').findOne({ email }))

    assert.ok(!before.includes(token))
    assert.ok(!user.includes(token))
  })

  for (const behaviour of ['refuse for now', 'drop'] as const) {
    it(`tries again with growing delays while the server does this: ${behaviour}`, async () => {
      const email = await signedUp(t, mailbox)

      mailbox.behaviour = behaviour
      await ask(t, email)

      const job = async (attempts: number) =>
        poll(
          async () =>
            (await t.db.collection('outbox').findOne({ email, attempts, claim: { $exists: false } })) ??
            undefined,
          `attempt ${attempts}`
        )

      for (const [attempts, delay] of [
        [1, 5000],
        [2, 10_000],
        [3, 20_000]
      ] as const) {
        assert.equal((await job(attempts)).dueAt.getTime(), t.clock.now + delay)
        t.clock.advance(delay)
      }

      await job(4)
      mailbox.behaviour = 'accept'
      t.clock.advance(40_000)
      await until('it was sent', async () => (await waiting(t)) === 0)

      const mails = mailbox.mails.filter(({ to, subject }) => to === email && /password/.test(subject))

      // Whatever arrives twice is the same mail, and each of its links works
      assert.equal(mails.length, behaviour === 'drop' ? 5 : 1)
      assert.equal(new Set(mails.map(({ messageId }) => messageId)).size, 1)
      assert.equal(new Set(mails.map((mail) => linkIn(mail).id)).size, 1)

      const { id, token } = linkIn(mails[0]!)
      const { status } = await restClient(t.address).ask('PATCH', `/password-resets/${id}`, {
        body: { token, password: 'another horse battery' }
      })

      assert.equal(status, 200)
    })
  }

  it('gives up a mail that the server permanently refuses', async () => {
    const email = await signedUp(t, mailbox)

    mailbox.behaviour = 'refuse for good'
    await ask(t, email)
    await until('it is gone', async () => (await waiting(t)) === 0)
    assert.equal(mailbox.count(email), 1)
  })

  it('gives up a mail when it has expired', async () => {
    const email = await signedUp(t, mailbox)

    mailbox.behaviour = 'refuse for now'
    await ask(t, email)
    await until(
      'an attempt failed',
      async () =>
        (await t.db.collection('outbox').findOne({ email, claim: { $exists: false } }))?.attempts === 1
    )
    t.clock.advance(30 * 60_000)
    await until('it is gone', async () => (await waiting(t)) === 0)
    assert.equal(mailbox.count(email), 1)
  })

  it('is not held up by a mail that hangs', async () => {
    const [slow, fast] = [await signedUp(t, mailbox), await signedUp(t, mailbox)]

    mailbox.behaviour = 'hang'
    await ask(t, slow)
    await until(
      'it is being sent',
      async () => (await t.db.collection('outbox').findOne({ email: slow }))?.attempts === 1
    )
    mailbox.behaviour = 'accept'

    const start = Date.now()

    assert.equal((await ask(t, fast)).status, 201)
    assert.ok(Date.now() - start < 1000)
    await mailbox.next(fast)

    // As another process would, once the one that hangs is taken for dead
    t.clock.advance(2 * 60_000)
    await mailbox.next(slow)
  })

  it('sends a mail that a process left behind when it crashed, at any step', async () => {
    const email = await signedUp(t, mailbox)
    const jobs = t.db.collection('outbox')
    const job = (more: object) => ({
      kind: 'password-reset',
      email,
      data: { id: `left-${Math.random()}` },
      createdAt: new Date(t.clock.now),
      dueAt: new Date(t.clock.now),
      expiresAt: new Date(t.clock.now + 60 * 60_000),
      attempts: 0,
      ...more
    })

    // Crashed before it claimed the mail
    await jobs.insertOne(job({}))
    await mailbox.next(email)

    // Crashed after that: it is not sent while the claim holds
    const claimed = { attempts: 1, claim: 'somebody', dueAt: new Date(t.clock.now + 2 * 60_000) }

    await jobs.insertOne(job(claimed))
    await signedUp(t, mailbox)
    assert.equal(mailbox.count(email), 2)
    t.clock.advance(2 * 60_000)
    await mailbox.next(email)
    await until('all were sent', async () => (await waiting(t)) === 0)
  })

  describe('a change that is stored with its mail', () => {
    const notice = (email: string) => ({
      _id: new ObjectId(),
      kind: 'password-changed',
      email,
      userId: new ObjectId().toHexString()
    })
    const users = () => t.db.collection('users')
    const changed = (email: string) =>
      mailbox.mails.filter((mail) => mail.to === email && mail.subject === 'Your password has been changed')
    const taken = async (email: string) => {
      await until('it is taken', async () => {
        const user = await users().findOne({ email })

        return user!.notices.length === 0 && (await waiting(t)) === 0
      })
    }

    it('has it sent if the process crashed before it was in the outbox', async () => {
      const email = await signedUp(t, mailbox)

      await taken(email)
      await users().updateOne({ email }, { $push: { notices: notice(email) } } as object)
      await taken(email)
      assert.equal(changed(email).length, 1)
    })

    it('has it sent once if the process crashed between that and removing it from the user', async () => {
      const email = await signedUp(t, mailbox)
      const again = notice(email)

      await taken(email)

      for (let round = 0; round < 3; round++) {
        await users().updateOne({ email }, { $push: { notices: again } } as object)
        await taken(email)
      }

      assert.equal(changed(email).length, 1)
    })

    it('sends the mail of a sign-up, if the process crashed after it had stored the user', async () => {
      const email = `${new ObjectId().toHexString()}@example.com`
      const _id = new ObjectId()
      const mail = { _id: new ObjectId(), kind: 'verify-email', userId: String(_id), data: { id: 'link' } }

      await users().insertOne({
        _id,
        email,
        roles: ['user'],
        sessions: [],
        emailVerified: false,
        notices: [mail]
      })
      assert.equal(linkIn(await mailbox.next(email)).purpose, 'verify-email')
    })
  })

  it('sends each mail once, although several instances run', async () => {
    const settings = mailTo(mailbox)
    const others = async (first: TestApp, work: (apps: TestApp[]) => Promise<void>) => {
      const database = new URL(first.url).pathname.slice(1)

      await withApp({ settings, database }, (second) =>
        withApp({ settings, database }, (third) => work([first, second, third]))
      )
    }

    await withApp({ settings }, (first) =>
      others(first, async (apps) => {
        const emails = await Promise.all([...apps, ...apps].map((app) => signedUp(app, mailbox)))

        await atOnce(5, async () => {
          await Promise.all(emails.map((email, index) => ask(apps[index % 3]!, email)))
        })
        await until('all were sent', async () => (await waiting(first)) === 0)

        // A sign-up, and up to five resets: one that a newer one has overtaken is not sent
        for (const email of emails) {
          const ids = mailbox.mails.filter(({ to }) => to === email).map(({ messageId }) => messageId)

          assert.ok(ids.length > 1 && ids.length <= 6)
          assert.equal(new Set(ids).size, ids.length)
        }
      })
    )
  })

  it('says when mail is stuck, in /ready and the metrics', async () => {
    const token = 'read all the metrics here'

    await withApp({ settings: { ...mailTo(mailbox), metrics: { token } } }, async (t) => {
      const client = restClient(t.address)
      const figure = async (name: string) => {
        const { body } = await client.ask('GET', '/metrics', { token })

        return Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(body)?.[1])
      }

      const ready = () =>
        poll(async () => {
          const { status, body } = await client.ask('GET', '/ready')

          return status === 200 ? body.mail : undefined
        }, '/ready')

      const email = await signedUp(t, mailbox)

      assert.equal(await ready(), 'ok')
      await until('it is counted', async () => (await figure('moult_mails_total{outcome="sent"}')) === 1)
      assert.equal(await figure('moult_mails_waiting'), 0)
      assert.equal(await figure('moult_mails_oldest_seconds'), 0)

      mailbox.behaviour = 'refuse for now'
      await ask(t, email)
      await until('it failed', async () => (await figure('moult_mails_total{outcome="failed"}')) === 1)
      t.clock.advance(5 * 60_000 + 1)
      assert.equal(await ready(), 'stuck')
      assert.equal(await figure('moult_mails_waiting'), 1)
      assert.ok((await figure('moult_mails_oldest_seconds')) >= 300)
    })
  })
})
