import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { mailAccounts } from '../../support/mail-accounts.js'
import { linkIn, mailTo, pageUrl, startMailbox, type Mailbox } from '../../support/mailbox.js'
import { fieldsOf, newPerson, stored } from '../../support/people.js'
import { atOnce, outcome, password, restClient, tally } from '../../support/rest.js'
import { connect } from '../../support/socket.js'
import { until } from '../../support/until.js'

const freshEmail = () => `${randomUUID()}@example.com`

describe('email verifications', () => {
  let mailbox: Mailbox
  let t: TestApp
  let accounts: ReturnType<typeof mailAccounts>

  before(async () => {
    mailbox = await startMailbox()
    t = await startApp({ settings: mailTo(mailbox) })
    accounts = mailAccounts(t, mailbox)
  })
  after(async () => {
    await t.stop()
    await mailbox.close()
  })

  it('begin at the sign-up: the link verifies the address of whoever is signed in', async () => {
    const { person, link } = await accounts.unverified()
    const own = async () => (await person.ask('GET', `/users/${person.id}`)).body

    assert.equal(link.url, pageUrl)
    assert.equal(link.purpose, 'verify-email')
    assert.equal((await own()).emailVerified, false)

    const { status, body } = await person.ask('PATCH', `/email-verifications/${link.id}`, {
      body: { token: link.token }
    })

    assert.equal(status, 200)
    assert.deepEqual(body, {})
    assert.equal((await own()).emailVerified, true)
    assert.equal((await stored(t, person.email)).emailVerified, true)
    assert.equal(outcome(await accounts.verify(link, { password })), '400 invalid')
  })

  it('show nobody what is stored for them, and let nobody write it or ask about it', async () => {
    const { person } = await accounts.unverified()
    const admin = await newPerson(t, 'admin')
    const socket = await connect(t.address, { Authorization: `Bearer ${person.accessToken}` })

    await person.ask('PATCH', `/users/${person.id}`, {
      body: { email: freshEmail(), currentPassword: password }
    })
    await accounts.askForReset(person.email)
    await mailbox.next(person.email)

    const views = [
      (await person.ask('GET', `/users/${person.id}`)).body,
      (await admin.ask('GET', `/users?email=${person.email}`)).body.data[0],
      (await accounts.client.signIn(person.email)).body.user,
      await socket.next('users patched')
    ]

    for (const view of views) {
      assert.deepEqual(Object.keys(view).toSorted(), [
        '_id',
        'createdAt',
        'disabled',
        'email',
        'emailVerified',
        'pendingEmail',
        'roles'
      ])
    }

    for (const field of ['emailVerified', 'pendingEmail', 'passwordReset', 'formerEmails', 'notices']) {
      const written = await admin.ask('PATCH', `/users/${person.id}`, { body: { [field]: true } })
      const asked = await admin.ask('GET', `/users?${field}=true`)
      const selected = await admin.ask('GET', `/users?$select[]=${field}`)

      assert.deepEqual([written.status, asked.status, selected.status], [400, 400, 400], field)
    }
    socket.close()
  })

  it('verify the address of whoever gives the password', async () => {
    const { person, link } = await accounts.unverified()

    assert.equal((await accounts.verify(link, { password: 'wrong horse battery' })).status, 401)
    assert.equal((await accounts.verify(link, { password })).status, 200)
    assert.equal((await stored(t, person.email)).emailVerified, true)
  })

  it("do not count for a stranger's click, nor for another user, and are not used up by it", async () => {
    const { link } = await accounts.unverified()
    const other = await accounts.verified()
    const bare = await accounts.verify(link)
    const asOther = await other.ask('PATCH', `/email-verifications/${link.id}`, {
      body: { token: link.token }
    })

    for (const answer of [bare, asOther]) {
      assert.equal(answer.status, 401)
      assert.equal(answer.body.data?.reason, undefined)
    }

    assert.equal((await accounts.verify(link, { password })).status, 200)
  })

  it('tell the sockets of the user', async () => {
    const { person, link } = await accounts.unverified()
    const socket = await connect(t.address, { Authorization: `Bearer ${person.accessToken}` })

    await accounts.verify(link, { password })
    assert.equal((await socket.next('users patched')).emailVerified, true)
    socket.close()
  })

  it('are mailed again: to whoever is signed in, or to an address', async () => {
    const { person, link } = await accounts.unverified()

    t.clock.advance(1000)
    assert.deepEqual((await person.ask('POST', '/email-verifications', { body: {} })).body, {})

    const second = linkIn(await mailbox.next(person.email))

    assert.equal(outcome(await accounts.verify(link, { password })), '400 invalid')
    t.clock.advance(1000)
    assert.equal(
      (await accounts.client.ask('POST', '/email-verifications', { body: { email: person.email } })).status,
      201
    )

    const third = linkIn(await mailbox.next(person.email))

    assert.equal(outcome(await accounts.verify(second, { password })), '400 invalid')
    assert.equal((await accounts.verify(third, { password })).status, 200)
  })

  it('answer the same for addresses that are verified or unknown, which get no mail', async () => {
    const { email } = await accounts.verified()

    for (const asked of [email, 'nobody@example.com']) {
      const { status, body } = await accounts.client.ask('POST', '/email-verifications', {
        body: { email: asked }
      })

      assert.equal(status, 201)
      assert.deepEqual(body, {})
    }

    await until(
      'all are done',
      async () => (await t.db.collection('outbox').countDocuments({ dueAt: { $exists: true } })) === 0
    )
    assert.equal(mailbox.count(email), 1)
    assert.equal(mailbox.count('nobody@example.com'), 0)
    assert.equal((await accounts.client.ask('POST', '/email-verifications', { body: {} })).status, 401)
  })

  it('are good for a day, and void after five wrong tokens', async () => {
    const [late, guessed] = [await accounts.unverified(), await accounts.unverified()]

    for (let index = 0; index < 5; index++) {
      assert.equal(outcome(await accounts.verify({ ...guessed.link, token: 'wrong' })), '400 invalid')
    }

    assert.equal(outcome(await accounts.verify(guessed.link, { password })), '400 invalid')
    t.clock.advance(24 * 60 * 60_000)
    assert.equal(outcome(await accounts.verify(late.link, { password })), '400 expired')
  })

  it('are used once: of 20 uses at once, one wins', async () => {
    const { person, link } = await accounts.unverified()
    const answers = await atOnce(20, () =>
      person.ask('PATCH', `/email-verifications/${link.id}`, { body: { token: link.token } })
    )

    assert.deepEqual(tally(answers), { '200': 1, '400 invalid': 19 })
  })

  it('refuse malformed requests, and name the field', async () => {
    for (const [body, fields] of [
      [{}, ['token']],
      [{ token: 'x', keep: false }, ['keep']],
      [{ token: 'x', email: 'a@example.com' }, ['email']],
      [{ token: 'x', password: { $ne: '' } }, ['password']]
    ] as const) {
      const answer = await accounts.client.ask('PATCH', '/email-verifications/unknown', { body })

      assert.equal(answer.status, 400)
      assert.deepEqual(fieldsOf(answer), fields)
    }
  })

  describe('of another address', () => {
    /** Asks for another address, and takes the mails: to the old address, and to the new one. */
    async function change(person: Awaited<ReturnType<typeof newPerson>>, from = person.email) {
      const email = freshEmail()
      const answer = await person.ask('PATCH', `/users/${person.id}`, {
        body: { email, currentPassword: password }
      })

      assert.equal(answer.status, 200)
      assert.equal(answer.body.email, from)
      assert.equal(answer.body.pendingEmail, email)

      return { email, told: await mailbox.next(from), link: linkIn(await mailbox.next(email)) }
    }

    /** Changes the address for good. Answers the new one, and the link that keeps the old one. */
    async function changed(person: Awaited<ReturnType<typeof newPerson>>, from = person.email) {
      const { email, link } = await change(person, from)

      assert.equal((await accounts.verify(link, { password })).status, 200)

      return { email, keep: linkIn(await mailbox.next(from)) }
    }

    it('leave the old one in force until the new one is verified, and tell the old one', async () => {
      const ada = await accounts.verified()
      const { email, told, link } = await change(ada)

      assert.equal(told.subject, 'Your email address is about to change')
      assert.ok(told.text.includes(email))
      assert.doesNotMatch(told.text, /#/)
      assert.equal((await accounts.client.signIn(email)).status, 401)
      assert.equal((await accounts.client.signIn(ada.email)).status, 201)

      assert.equal((await accounts.verify(link, { password })).status, 200)
      assert.equal((await accounts.client.signIn(ada.email)).status, 401)

      const { body } = await accounts.client.signIn(email)

      assert.equal(body.user.emailVerified, true)
      assert.equal(body.user.pendingEmail, undefined)
      assert.equal((await mailbox.next(ada.email)).subject, 'Your email address has been changed')
    })

    it('are shown to the user and to admins', async () => {
      const ada = await accounts.verified()
      const admin = await newPerson(t, 'admin')
      const { email } = await change(ada)

      assert.equal((await admin.ask('GET', `/users/${ada.id}`)).body.pendingEmail, email)
      assert.equal((await ada.ask('GET', `/users/${ada.id}`)).body.pendingEmail, email)
    })

    it('answer the same for an address that is taken, whose owner is told', async () => {
      const [ada, grace] = [await accounts.verified(), await accounts.verified()]
      const { status, body } = await ada.ask('PATCH', `/users/${ada.id}`, {
        body: { email: grace.email, currentPassword: password }
      })

      assert.equal(status, 200)
      assert.equal(body.pendingEmail, grace.email)
      assert.equal((await mailbox.next(grace.email)).subject, 'You have an account already')
    })

    it('are refused where somebody else took the address meanwhile', async () => {
      const ada = await accounts.verified()
      const { email, link } = await change(ada)

      await restClient(t.address).signUp({ email })
      assert.equal(outcome(await accounts.verify(link, { password })), '400 invalid')
      assert.equal((await stored(t, ada.email)).email, ada.email)
    })

    it('are forgotten when the user asks for the old address', async () => {
      const ada = await accounts.verified()
      const { link } = await change(ada)
      const { body } = await ada.ask('PATCH', `/users/${ada.id}`, {
        body: { email: ada.email, currentPassword: password }
      })

      assert.equal(body.pendingEmail, undefined)
      assert.equal(outcome(await accounts.verify(link, { password })), '400 invalid')
    })

    it('can be taken back for seven days, which ends all sessions and voids the password', async () => {
      const ada = await accounts.verified()
      const { email, keep } = await changed(ada)
      const { body } = await accounts.client.signIn(email)

      assert.equal(keep.purpose, 'keep-email')
      t.clock.advance(7 * 24 * 60 * 60_000 - 1)
      assert.equal((await accounts.keep(keep)).status, 200)
      assert.equal(outcome(await accounts.client.refresh(body.refreshToken)), '401 revoked')

      for (const tried of [email, ada.email]) {
        assert.equal((await accounts.client.signIn(tried)).status, 401)
      }

      const reset = await accounts.reset(await accounts.resetLink(ada.email), 'another horse battery')

      assert.equal(reset.status, 200)
      assert.equal(
        (await accounts.client.signIn(ada.email, { password: 'another horse battery' })).status,
        201
      )
      assert.equal(outcome(await accounts.keep(keep)), '400 invalid')
    })

    it('are taken back once: of 20 uses at once, one wins', async () => {
      const ada = await accounts.verified()
      const { keep } = await changed(ada)

      assert.deepEqual(tally(await atOnce(20, () => accounts.keep(keep))), { '200': 1, '400 invalid': 19 })
    })

    it('can not be taken back after five wrong tokens', async () => {
      const ada = await accounts.verified()
      const { keep } = await changed(ada)

      for (let index = 0; index < 5; index++) {
        assert.equal(outcome(await accounts.keep({ ...keep, token: 'wrong' })), '400 invalid')
      }

      assert.equal(outcome(await accounts.keep(keep)), '400 invalid')
    })

    it('can not be taken back later', async () => {
      const { keep } = await changed(await accounts.verified())

      t.clock.advance(7 * 24 * 60 * 60_000)
      assert.equal(outcome(await accounts.keep(keep)), '400 expired')
    })

    it('can be taken back through later changes, by the first owner only', async () => {
      const ada = await accounts.verified()
      const first = await changed(ada)
      const second = await changed(ada, first.email)
      const third = await changed(ada, second.email)

      assert.equal((await accounts.keep(first.keep)).status, 200)
      assert.equal((await stored(t, ada.email)).email, ada.email)

      // Whoever took the account over had those addresses
      for (const { keep } of [second, third]) {
        assert.equal(outcome(await accounts.keep(keep)), '400 invalid')
      }
    })

    it('take back what ways in were added since, and keep those of before', async () => {
      const ada = await accounts.verified()
      const set = (email: string, fields: object) =>
        t.db.collection('users').updateOne({ email }, { $set: fields })

      await set(ada.email, { identities: { google: 'hers' } })

      const { email, keep } = await changed(ada)

      await set(email, {
        identities: { google: 'hers', github: 'his' },
        factors: [{ id: 'his', kind: 'passkey' }]
      })
      assert.equal((await accounts.keep(keep)).status, 200)

      const { identities, factors } = await stored(t, ada.email)

      assert.deepEqual(identities, { google: 'hers' })
      assert.equal(factors, undefined)
    })

    it('are refused after ten in a week, so that none that can be taken back is forgotten', async () => {
      const ada = await accounts.verified()
      const first = await changed(ada)
      let { email } = first

      for (let count = 1; count < 10; count++) {
        ;({ email } = await changed(ada, email))
      }

      const { link } = await change(ada, email)

      assert.equal(outcome(await accounts.verify(link, { password })), '400 invalid')
      assert.equal((await accounts.keep(first.keep)).status, 200)

      const later = await accounts.resetLink(ada.email)

      await accounts.reset(later, password)
      t.clock.advance(7 * 24 * 60 * 60_000)

      const { body } = await accounts.client.signIn(ada.email)
      const again = await accounts.client.ask('PATCH', `/users/${ada.id}`, {
        token: body.accessToken,
        body: { email: freshEmail(), currentPassword: password }
      })

      assert.equal(again.status, 200)
      assert.equal(
        (await accounts.verify(linkIn(await mailbox.next(again.body.pendingEmail)), { password })).status,
        200
      )
      assert.equal((await stored(t, again.body.pendingEmail)).formerEmails.length, 1)
    })

    it('take back what ways in were added since, and keep those of before', async () => {
      const ada = await accounts.verified()
      const set = (email: string, fields: object) =>
        t.db.collection('users').updateOne({ email }, { $set: fields })

      await set(ada.email, { identities: { google: 'hers' } })

      const { email, keep } = await changed(ada)

      await set(email, {
        identities: { google: 'hers', github: 'his' },
        factors: [{ id: 'his', kind: 'passkey' }]
      })
      assert.equal((await accounts.keep(keep)).status, 200)

      const { identities, factors } = await stored(t, ada.email)

      assert.deepEqual(identities, { google: 'hers' })
      assert.equal(factors, undefined)
    })

    it('are refused after ten in a week, so that none that can be taken back is forgotten', async () => {
      const ada = await accounts.verified()
      const first = await changed(ada)
      let { email } = first

      for (let count = 1; count < 10; count++) {
        ;({ email } = await changed(ada, email))
      }

      const { link } = await change(ada, email)

      assert.equal(outcome(await accounts.verify(link, { password })), '400 invalid')
      t.clock.advance(7 * 24 * 60 * 60_000)

      const { body } = await accounts.client.signIn(email)
      const again = await accounts.client.ask('PATCH', `/users/${ada.id}`, {
        token: body.accessToken,
        body: { email: freshEmail(), currentPassword: password }
      })

      assert.equal(again.status, 200)
      assert.equal(
        (await accounts.verify(linkIn(await mailbox.next(again.body.pendingEmail)), { password })).status,
        200
      )
      assert.equal((await stored(t, again.body.pendingEmail)).formerEmails.length, 1)
    })

    it('reserve the old address for its owner meanwhile', async () => {
      const ada = await accounts.verified()
      const { keep } = await changed(ada)
      const answer = await accounts.client.ask('POST', '/users', { body: { email: ada.email, password } })

      assert.equal(answer.status, 409)
      assert.deepEqual(fieldsOf(answer), ['email'])

      const grace = await accounts.verified()
      const asked = await grace.ask('PATCH', `/users/${grace.id}`, {
        body: { email: ada.email, currentPassword: password }
      })

      assert.equal(asked.status, 200)
      assert.equal(
        outcome(await accounts.verify(linkIn(await mailbox.next(ada.email)), { password })),
        '400 invalid'
      )
      assert.equal((await accounts.keep(keep)).status, 200)
    })

    it('give the owner of an address that was never verified no way in', async () => {
      const { person } = await accounts.unverified()
      const { link } = await change(person)

      assert.equal((await accounts.verify(link, { password })).status, 200)

      const told = await mailbox.next(person.email)

      assert.equal(told.subject, 'Your email address has been changed')
      assert.doesNotMatch(told.text, /#/)
    })

    it('by an admin counts at once, verified, and the old one is told', async () => {
      const ada = await accounts.verified()
      const admin = await newPerson(t, 'admin')
      const email = freshEmail()
      const { body } = await admin.ask('PATCH', `/users/${ada.id}`, { body: { email } })

      assert.equal(body.email, email)
      assert.equal(body.emailVerified, true)

      const told = await mailbox.next(ada.email)

      assert.equal(told.subject, 'Your email address has been changed')
      assert.equal((await accounts.keep(linkIn(told))).status, 200)
      assert.equal((await mailbox.next(email)).subject, 'Your email address has been changed')
    })
  })
})

describe('with accounts.verified: "sign-in"', () => {
  let mailbox: Mailbox
  let t: TestApp
  let accounts: ReturnType<typeof mailAccounts>

  before(async () => {
    mailbox = await startMailbox()
    t = await startApp({
      settings: mailTo(mailbox, { accounts: { url: pageUrl, verified: 'sign-in' } })
    })
    accounts = mailAccounts(t, mailbox)
  })
  after(async () => {
    await t.stop()
    await mailbox.close()
  })

  const signUp = (email: string) =>
    accounts.client.ask('POST', '/users', { body: { email, password, name: 'Ada' } })

  it('a right password of an unverified user is refused as such, and stores no session', async () => {
    const email = freshEmail()

    await signUp(email)
    assert.equal(outcome(await accounts.client.signIn(email)), '401 unverified')
    assert.deepEqual((await stored(t, email)).sessions, [])
    assert.equal(
      (await accounts.client.signIn(email, { password: 'wrong horse battery' })).body.data?.reason,
      undefined
    )

    assert.equal((await accounts.verify(linkIn(await mailbox.next(email)), { password })).status, 200)
    assert.equal((await accounts.client.signIn(email)).status, 201)
  })

  it('a sign-up with a taken address is answered as any other, and its owner is told', async () => {
    const email = freshEmail()
    const [first, second] = [await signUp(email), await signUp(email.toUpperCase())]

    assert.equal(second.status, 201)
    assert.deepEqual(Object.keys(second.body).toSorted(), Object.keys(first.body).toSorted())
    assert.deepEqual({ ...second.body, _id: '', createdAt: '' }, { ...first.body, _id: '', createdAt: '' })
    assert.notEqual(second.body._id, first.body._id)
    assert.equal(await t.db.collection('users').countDocuments({ email }), 1)

    const subjects = [(await mailbox.next(email)).subject, (await mailbox.next(email)).subject]

    assert.deepEqual(subjects.toSorted(), ['Confirm your email address', 'You have an account already'])
  })

  it('is refused without mail', async () => {
    await assert.rejects(
      withApp({ settings: { accounts: { verified: 'sign-in' } } }, async () => undefined),
      {
        message:
          'accounts.verified is "sign-in", but nobody could verify an address without mail: write mail.from, or "no"'
      }
    )
  })
})
