import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { endedBy } from '../../support/events.js'
import { linkIn, mailTo, pageUrl, startMailbox, type Mailbox } from '../../support/mailbox.js'
import { fieldsOf, newPerson, stored, type Person } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, outcome, restClient, tally, type RestClient } from '../../support/rest.js'
import { connect } from '../../support/socket.js'
import { until } from '../../support/until.js'

const newPassword = 'another horse battery'

describe('password resets', () => {
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

  /** Someone whose address is verified. */
  async function verified(more: object = {}): Promise<Person> {
    const person = await newPerson(t, 'user', more)
    const { id, token } = linkIn(await mailbox.next(person.email))
    const { status } = await person.ask('PATCH', `/email-verifications/${id}`, { body: { token } })

    assert.equal(status, 200)
    return person
  }

  const ask = (email: string) => client.ask('POST', '/password-resets', { body: { email } })

  /** Asks, and takes the link from the mail. */
  async function linkFor(email: string) {
    assert.equal((await ask(email)).status, 201)
    return linkIn(await mailbox.next(email))
  }

  const use = ({ id, token }: { id: string; token: string }, password = newPassword) =>
    client.ask('PATCH', `/password-resets/${id}`, { body: { token, password } })

  it('mail a link to the page, which sets a password', async () => {
    const { email } = await verified()
    const link = await linkFor(email)

    assert.equal(link.url, pageUrl)
    assert.equal(link.purpose, 'password-reset')

    const answer = await use(link)

    assert.equal(answer.status, 200)
    assert.deepEqual(answer.body, {})
    assert.equal(answer.headers.get('set-cookie'), null)
    assert.equal((await client.signIn(email)).status, 401)
    assert.equal((await client.signIn(email, { password: newPassword })).status, 201)

    const told = await mailbox.next(email)

    assert.equal(told.subject, 'Your password has been changed')
  })

  it('work for an address in any case', async () => {
    const { email } = await verified()

    await ask(email.toUpperCase())
    assert.equal((await use(linkIn(await mailbox.next(email)))).status, 200)
  })

  it('end all sessions, whose sockets hear why', async () => {
    const { email, accessToken, refreshToken, session } = await verified()
    const socket = await connect(t.address, { Authorization: `Bearer ${accessToken}` })
    const link = await linkFor(email)

    assert.deepEqual(await endedBy(t, () => use(link)), [[session.id, 'password']])
    assert.equal((await socket.next('sessions removed')).reason, 'password')
    await socket.disconnected()
    assert.equal(outcome(await client.refresh(refreshToken)), '401 revoked')
  })

  it('answer the same for an unknown, an unverified and a disabled account; the last gets no mail', async () => {
    const unverified = await client.signUp()
    const disabled = await verified()

    await mailbox.next(unverified.email)
    await t.app.service('users').patch(disabled.id, { disabled: true })

    for (const email of ['nobody@example.com', unverified.email, disabled.email]) {
      const { status, body } = await ask(email)

      assert.equal(status, 201)
      assert.deepEqual(body, {})
    }

    assert.equal((await mailbox.next(unverified.email)).subject, 'Choose a new password')
    await until(
      'all are done',
      async () => (await t.db.collection('outbox').countDocuments({ dueAt: { $exists: true } })) === 0
    )
    assert.equal(mailbox.count('nobody@example.com'), 0)
    assert.equal(mailbox.count(disabled.email), 1)
  })

  it('are used once: of 20 uses at once, one wins', async () => {
    await rounds(async () => {
      const { email } = await verified()
      const link = await linkFor(email)
      const answers = await atOnce(20, (index) => use(link, `${newPassword} ${index}`))

      assert.deepEqual(tally(answers), { '200': 1, '400 invalid': 19 })

      const winner = answers.findIndex(({ status }) => status === 200)

      assert.equal((await client.signIn(email, { password: `${newPassword} ${winner}` })).status, 201)
      assert.equal(outcome(await use(link)), '400 invalid')
    })
  })

  it('are not used up by opening the link, nor by a password that is refused', async () => {
    const { email } = await verified()
    const link = await linkFor(email)

    // As a mail scanner does
    await client.ask('GET', `/password-resets/${link.id}`)
    await client.ask('POST', `/password-resets/${link.id}`, { body: { token: link.token } })

    for (const weak of ['short', 'password123', email]) {
      const answer = await use(link, weak)

      assert.equal(answer.status, 400)
      assert.deepEqual(fieldsOf(answer), ['password'])
    }

    assert.equal((await use(link)).status, 200)
  })

  it('are valid for 30 minutes', async () => {
    const { email } = await verified()
    const link = await linkFor(email)

    t.clock.advance(30 * 60_000)
    assert.equal(outcome(await use(link)), '400 expired')
    assert.equal(outcome(await use({ ...link, token: 'wrong' })), '400 invalid')
  })

  it('are invalid after five wrong tokens', async () => {
    const { email } = await verified()
    const link = await linkFor(email)
    const other = await linkFor((await verified()).email)

    for (let index = 0; index < 4; index++) {
      assert.equal(outcome(await use({ ...link, token: other.token })), '400 invalid')
    }

    assert.equal((await use(other)).status, 200)

    const again = await linkFor(email)

    for (let index = 0; index < 5; index++) {
      assert.equal(outcome(await use({ ...again, token: 'wrong' })), '400 invalid')
    }

    assert.equal(outcome(await use(again)), '400 invalid')
  })

  it('are invalid once a newer one is requested, or the password or the address changes', async () => {
    const { email, ask: askAs, id } = await verified()
    const first = await linkFor(email)
    const second = await linkFor(email)

    assert.equal(outcome(await use(first)), '400 invalid')

    const changed = await askAs('PATCH', `/users/${id}`, {
      body: { password: 'a third horse battery', currentPassword: 'correct horse battery' }
    })

    assert.equal(changed.status, 200)
    assert.equal(outcome(await use(second)), '400 invalid')

    await mailbox.next(email)
    const third = await linkFor(email)

    await t.db.collection('users').updateOne({ email }, { $set: { email: `new-${email}` } })
    assert.equal(outcome(await use(third)), '400 invalid')
  })

  it('refuse an unknown link as a wrong one', async () => {
    const { email } = await verified()
    const link = await linkFor(email)
    const [unknown, wrong] = [await use({ ...link, id: 'unknown' }), await use({ ...link, token: 'wrong' })]

    assert.deepEqual(unknown.body, wrong.body)
    assert.equal(unknown.body.message, 'The link is not valid')
  })

  it('verify the address, and leave nothing on an account whose address was never verified', async () => {
    const { email, refreshToken } = await newPerson(t)

    await mailbox.next(email)
    await t.db
      .collection('users')
      .updateOne({ email }, { $set: { identities: { google: '1' }, pendingEmail: 'attacker@example.com' } })

    assert.equal((await use(await linkFor(email))).status, 200)

    const user = await stored(t, email)

    assert.equal(user.emailVerified, true)
    assert.equal(user.identities, undefined)
    assert.equal(user.pendingEmail, undefined)
    assert.equal(outcome(await client.refresh(refreshToken)), '401 revoked')
    assert.equal((await client.signIn(email)).status, 401)
    assert.equal((await client.signIn(email, { password: newPassword })).status, 201)
  })

  it('leave the other ways to sign in on an account whose address was verified', async () => {
    const { email } = await verified()

    await t.db.collection('users').updateOne({ email }, { $set: { identities: { google: '2' } } })
    assert.equal((await use(await linkFor(email))).status, 200)
    assert.deepEqual((await stored(t, email)).identities, { google: '2' })
  })

  it('add a password to an account without one', async () => {
    const { email } = await verified()

    await t.db.collection('users').updateOne({ email }, { $unset: { password: 1 } })
    assert.equal((await use(await linkFor(email))).status, 200)
    assert.equal((await client.signIn(email, { password: newPassword })).status, 201)
  })

  it('do nothing for an account that was disabled or deleted in the meantime', async () => {
    const [disabled, deleted] = [await verified(), await verified()]
    const links = [await linkFor(disabled.email), await linkFor(deleted.email)]

    await t.app.service('users').patch(disabled.id, { disabled: true })
    await t.app.service('users').remove(deleted.id)

    for (const link of links) {
      assert.equal(outcome(await use(link)), '400 invalid')
    }
  })

  it('are noted in the audit trail', async () => {
    const { email, id } = await verified()

    await use(await linkFor(email))
    await until('it is noted', async () => {
      const events = await t.db.collection('events').find({ userId: id }).toArray()

      return ['email-verified', 'password-changed'].every((type) =>
        events.some((event) => event.type === type)
      )
    })
  })

  it('refuse malformed requests, and name the field', async () => {
    for (const [body, fields] of [
      [{}, ['email']],
      [{ email: 'no address' }, ['email']],
      [{ email: { $ne: '' } }, ['email']],
      [{ email: 'a@example.com', admin: true }, ['admin']]
    ] as const) {
      const answer = await client.ask('POST', '/password-resets', { body })

      assert.equal(answer.status, 400)
      assert.deepEqual(fieldsOf(answer), fields)
    }

    for (const [body, fields] of [
      [{}, ['token', 'password']],
      [{ token: { $ne: '' }, password: newPassword }, ['token']]
    ] as const) {
      const answer = await client.ask('PATCH', '/password-resets/unknown', { body })

      assert.equal(answer.status, 400)
      assert.deepEqual(fieldsOf(answer), fields)
    }

    assert.equal((await client.ask('PATCH', '/password-resets', { body: {} })).status, 405)
    assert.equal((await client.ask('GET', '/password-resets')).status, 405)
  })

  it('let the user choose another password than the one that an admin has set', async () => {
    const { email, id } = await verified()
    const admin = await newPerson(t, 'admin')

    assert.equal((await admin.ask('PATCH', `/users/${id}`, { body: { password: newPassword } })).status, 200)

    const mails = [await mailbox.next(email), await mailbox.next(email)]
    const told = mails.find(({ subject }) => subject === 'Your password has been changed')
    const link = linkIn(mails.find(({ subject }) => subject === 'Choose a new password')!)

    assert.ok(told)
    assert.equal((await use(link, 'a third horse battery')).status, 200)
    await until('both are noted', async () => {
      const events = await t.db.collection('events').find({ userId: id, type: 'password-changed' }).toArray()

      return events.some(({ by }) => by === admin.id) && events.some(({ by }) => by === id)
    })
  })

  it('work over sockets', async () => {
    const { email } = await verified()
    const socket = await connect(t.address)

    assert.deepEqual(await socket.call('create', 'password-resets', { email }), {})

    const { id, token } = linkIn(await mailbox.next(email))
    const patch = (data: object) => socket.call('patch', 'password-resets', id, data)

    await assert.rejects(patch({ token: 'wrong', password: newPassword }), {
      code: 400,
      data: { reason: 'invalid' }
    })
    await assert.rejects(socket.call('patch', 'password-resets', null, { token, password: newPassword }), {
      code: 405
    })
    assert.deepEqual(await patch({ token, password: newPassword }), {})
    assert.equal((await client.signIn(email, { password: newPassword })).status, 201)
    socket.close()
  })

  it('mail nobody else for any spelling of an address', async () => {
    for (const email of [
      'ada@example.com,eve@example.com',
      'ada@example.com\r\nBcc: eve@example.com',
      'ada@example.com\nsubject: hello',
      '<eve@example.com>',
      'Ada <eve@example.com>',
      'ada@example.com>'
    ]) {
      for (const path of ['/users', '/password-resets', '/email-verifications']) {
        const answer = await client.ask('POST', path, {
          body: { email, ...(path === '/users' && { password: newPassword }) }
        })

        assert.equal(answer.status, 400, `${path} ${email}`)
        assert.deepEqual(fieldsOf(answer), ['email'])
      }
    }
  })

  it('never take the URL of a link from the request', async () => {
    const { email } = await verified()

    await client.ask('POST', '/password-resets', {
      body: { email },
      headers: { 'X-Forwarded-Host': 'evil.example', Origin: 'https://evil.example' }
    })
    assert.equal(linkIn(await mailbox.next(email)).url, pageUrl)
  })

  it('exist only with mail', async () => {
    await withApp({}, async (t) => {
      const { status } = await restClient(t.address).ask('POST', '/password-resets', {
        body: { email: 'a@example.com' }
      })

      assert.equal(status, 404)
    })
  })
})
