import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { merge, startApp, withApp, type Settings, type TestApp } from '../../support/app.js'
import { enrol, factorClient, factorSecret } from '../../support/factors.js'
import { mailAccounts } from '../../support/mail-accounts.js'
import { codeIn, mailTo, startMailbox, type Mailbox } from '../../support/mailbox.js'
import { stored } from '../../support/people.js'
import { atOnce, outcome, restClient, tally, type Answer } from '../../support/rest.js'
import { poll } from '../../support/socket.js'
import { until } from '../../support/until.js'

const withCodes = (mailbox: Mailbox, more: Settings = {}): Settings =>
  mailTo(mailbox, {
    authentication: {
      authStrategies: ['jwt', 'local', 'refresh-token', 'email-code'],
      'refresh-token': { strategies: ['local', 'email-code'] }
    },
    ...more
  })

describe('sign-in codes', () => {
  let mailbox: Mailbox
  let t: TestApp
  let accounts: ReturnType<typeof mailAccounts>

  before(async () => {
    mailbox = await startMailbox()
    t = await startApp({ settings: withCodes(mailbox) })
    accounts = mailAccounts(t, mailbox)
  })
  after(async () => {
    await t.stop()
    await mailbox.close()
  })

  const ask = (email: string) => accounts.client.ask('POST', '/sign-in-codes', { body: { email } })

  /** Asks for a code: what whoever asked gets, and what the owner of the mailbox. */
  async function codeFor(email: string): Promise<{ id: string; code: string }> {
    const { status, body } = await ask(email)

    assert.equal(status, 201)
    assert.deepEqual(Object.keys(body), ['id'])
    return { id: body.id, code: codeIn(await mailbox.next(email)) }
  }

  const signIn = (request: object): Promise<Answer> =>
    accounts.client.authenticate({ strategy: 'email-code', ...request })

  const wrong = ({ id, code }: { id: string; code: string }) => ({
    id,
    code: String((Number(code) + 1) % 1_000_000).padStart(6, '0')
  })

  it('sign in the client that requested them, with a session like any sign-in', async () => {
    const { email } = await accounts.verified()
    const { status, body } = await signIn({
      ...(await codeFor(email)),
      device: { id: 'phone', name: 'Phone' }
    })

    assert.equal(status, 201)
    assert.equal(body.user.email, email)
    assert.equal(body.session.strategy, 'email-code')
    assert.equal(body.session.device.name, 'Phone')
    assert.equal((await accounts.client.refresh(body.refreshToken)).status, 201)
  })

  it('work only with the id from their request', async () => {
    const { email } = await accounts.verified()
    const [first, second] = [await codeFor(email), await codeFor(email)]

    assert.equal(outcome(await signIn({ id: second.id, code: first.code })), '401 invalid')
    assert.equal(outcome(await signIn({ id: 'unknown', code: first.code })), '401 invalid')
    assert.equal((await signIn(first)).status, 201)
    assert.equal((await signIn(second)).status, 201)
  })

  it('work once: of 20 uses at once, one wins', async () => {
    const { email } = await accounts.verified()
    const code = await codeFor(email)
    const answers = await atOnce(20, () => signIn(code))

    assert.deepEqual(tally(answers), { '201': 1, '401 expired': 19 })
    assert.equal(outcome(await signIn(code)), '401 expired')
  })

  it('allow five tries, even if many come at once', async () => {
    const { email } = await accounts.verified()
    const [tried, raced] = [await codeFor(email), await codeFor(email)]

    for (let index = 0; index < 4; index++) {
      assert.equal(outcome(await signIn(wrong(tried))), '401 invalid')
    }

    assert.equal((await signIn(tried)).status, 201)
    assert.deepEqual(tally(await atOnce(20, () => signIn(wrong(raced)))), {
      '401 invalid': 5,
      '401 expired': 15
    })
    assert.equal(outcome(await signIn(raced)), '401 expired')
  })

  it('are valid for ten minutes', async () => {
    const { email } = await accounts.verified()
    const [good, late] = [await codeFor(email), await codeFor(email)]

    t.clock.advance(10 * 60_000 - 1)
    assert.equal((await signIn(good)).status, 201)
    t.clock.advance(1)
    assert.equal(outcome(await signIn(late)), '401 expired')
  })

  it('are invalid once the password is reset or changed', async () => {
    const { email, ask: askAs, id } = await accounts.verified()
    const code = await codeFor(email)

    await accounts.reset(await accounts.resetLink(email), 'another horse battery')
    assert.equal(outcome(await signIn(code)), '401 expired')

    await mailbox.next(email)
    const { body } = await signIn(await codeFor(email))
    const second = await codeFor(email)

    await askAs('PATCH', `/users/${id}`, {
      token: body.accessToken,
      body: { password: 'a third horse battery', currentPassword: 'another horse battery' }
    })
    assert.equal(outcome(await signIn(second)), '401 expired')
  })

  it('answer the same with or without an account, and are mailed to nobody else', async () => {
    const disabled = await accounts.verified()

    await t.app.service('users').patch(disabled.id, { disabled: true })

    for (const email of ['nobody@example.com', disabled.email]) {
      const { status, body } = await ask(email)

      assert.equal(status, 201)
      assert.equal(outcome(await signIn({ id: body.id, code: '123456' })), '401 invalid')
    }

    await until(
      'all are done',
      async () => (await t.db.collection('outbox').countDocuments({ dueAt: { $exists: true } })) === 0
    )
    assert.equal(mailbox.count('nobody@example.com'), 0)
    assert.equal(mailbox.count(disabled.email), 1)
  })

  it('verify the address, and leave nothing on an account whose address was never verified', async () => {
    const { person } = await accounts.unverified()

    await t.db
      .collection('users')
      .updateOne({ email: person.email }, { $set: { identities: { google: '1' } } })

    const { status, body } = await signIn(await codeFor(person.email))

    assert.equal(status, 201)
    assert.equal(body.user.emailVerified, true)
    assert.equal(outcome(await accounts.client.refresh(person.refreshToken)), '401 revoked')
    assert.equal((await accounts.client.signIn(person.email)).status, 401)
    assert.equal((await stored(t, person.email)).identities, undefined)
    assert.equal((await accounts.client.refresh(body.refreshToken)).status, 201)
  })

  it('are stored so that somebody who reads the database can not use them', async () => {
    const { email } = await accounts.verified()
    const { id, code } = await codeFor(email)
    const codes = JSON.stringify(await t.db.collection('signInCodes').find({ email }).toArray())

    assert.ok(!codes.includes(id))
    assert.ok(!codes.includes(code))
  })

  it('refuse malformed requests', async () => {
    assert.equal((await ask('no address')).status, 400)

    for (const request of [{}, { id: 'x' }, { id: { $ne: '' }, code: '123456' }, { id: 'x', code: 123456 }]) {
      assert.equal((await signIn(request)).status, 400)
    }
  })

  it('allow 20 wrong ones a day for an account, across all codes', async () => {
    const settings = withCodes(mailbox, {
      rateLimit: {
        signIn: false,
        signUp: false,
        refresh: false,
        mail: { account: false, address: false, codes: { limit: 20, per: '24h' } }
      }
    })

    await withApp({ settings }, async (t) => {
      const client = restClient(t.address)
      const { email } = await client.signUp()
      const answers: Answer[] = []

      for (let round = 0; round < 5; round++) {
        const { body } = await client.ask('POST', '/sign-in-codes', { body: { email } })
        const tries = await atOnce(5, (index) =>
          client.authenticate({ strategy: 'email-code', id: body.id, code: `00000${index}` })
        )

        answers.push(...tries)
      }

      assert.deepEqual(tally(answers), { '401 invalid': 20, '429': 5 })
    })
  })

  it('leave the clients that an account knows their own tries, whoever used up those of strangers', async () => {
    const settings = withCodes(mailbox, {
      proxies: 1,
      rateLimit: {
        signIn: false,
        signUp: false,
        refresh: false,
        mail: { account: false, address: false, codes: { limit: 20, per: '24h' } }
      }
    })

    await withApp({ settings }, async (t) => {
      const client = restClient(t.address)
      const { email } = await mailAccounts(t, mailbox).verified()
      const device = { id: 'a secret of her phone' }
      const from = (address: string) => ({ 'X-Forwarded-For': address })
      const signIn = (body: object, address: string) =>
        client.ask('POST', '/authentication', {
          headers: from(address),
          body: { strategy: 'email-code', ...body }
        })
      const codeFor = async () => {
        const { body } = await client.ask('POST', '/sign-in-codes', { body: { email } })

        return { id: body.id as string, code: codeIn(await mailbox.next(email)) }
      }

      await client.ask('POST', '/authentication', {
        headers: from('2001:db8:1:2::7'),
        body: { strategy: 'local', email, password: 'correct horse battery', device }
      })
      await poll(
        () => t.db.collection('events').findOne({ type: 'signed-in', 'device.id': device.id }),
        'it is known',
        30_000
      )

      assert.equal((await mailbox.next(email)).subject, 'A sign-in from a new device')

      for (let round = 0; round < 4; round++) {
        const { id } = await codeFor()

        await atOnce(5, (index) => signIn({ id, code: `00000${index}` }, `203.0.113.${index}`))
      }

      const codes = [await codeFor(), await codeFor(), await codeFor()]

      assert.equal((await signIn(codes[0]!, '203.0.113.77')).status, 429)
      // From the same network, and with the same device elsewhere
      assert.equal((await signIn(codes[1]!, '2001:db8:1:2::8')).status, 201)
      assert.equal((await signIn({ ...codes[2]!, device }, '203.0.113.78')).status, 201)

      // Each of them has tries of its own, and no more
      const guesses: Answer[] = []

      for (let round = 0; round < 5; round++) {
        const { body } = await client.ask('POST', '/sign-in-codes', { body: { email } })

        // Whose code it is shows once it is mailed
        await until(
          'it is mailed',
          async () => (await t.db.collection('outbox').countDocuments({ kind: 'sign-in-code' })) === 0
        )
        guesses.push(
          ...(await atOnce(5, (index) => signIn({ id: body.id, code: `00000${index}` }, '2001:db8:1:2::9')))
        )
      }

      assert.deepEqual(tally(guesses), { '401 invalid': 20, '429': 5 })
    })
  })

  it('exist only if the strategy is named', async () => {
    await withApp({ settings: mailTo(mailbox) }, async (t) => {
      const { status } = await restClient(t.address).ask('POST', '/sign-in-codes', {
        body: { email: 'a@example.com' }
      })

      assert.equal(status, 404)
    })
  })
})

describe('a sign-in code of a user with a second factor', () => {
  it('is the first step alone, and opens no session', async () => {
    const mailbox = await startMailbox()
    const authStrategies = ['jwt', 'local', 'refresh-token', 'email-code', 'totp', 'recovery-code']
    const settings = merge(withCodes(mailbox), {
      authentication: { authStrategies, factors: { secret: factorSecret } }
    })

    try {
      await withApp({ settings }, async (t) => {
        const accounts = mailAccounts(t, mailbox)
        const on = factorClient(t.address)
        const ada = await accounts.verified()
        const { app } = await enrol(t, ada)
        const { length } = (await stored(t, ada.email)).sessions

        await mailbox.next(ada.email)

        const { id } = (await on.client.ask('POST', '/sign-in-codes', { body: { email: ada.email } })).body
        const code = codeIn(await mailbox.next(ada.email))
        const first = await on.client.authenticate({ strategy: 'email-code', id, code })

        assert.equal(outcome(first), '401 factor')
        assert.equal((await stored(t, ada.email)).sessions.length, length)

        const { status, body } = await on.totp(first.body.data.challenge, app.next())

        assert.equal(status, 201)
        assert.equal(body.session.strategy, 'email-code')
        assert.equal((await stored(t, ada.email)).sessions.length, length + 1)
      })
    } finally {
      await mailbox.close()
    }
  })
})
