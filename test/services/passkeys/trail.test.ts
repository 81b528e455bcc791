import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { BSON } from 'mongodb'
import type { TestApp } from '../../support/app.js'
import { mailAccounts } from '../../support/mail-accounts.js'
import { linkIn, mailTo, startMailbox, type Mailbox } from '../../support/mailbox.js'
import { passkeyAccounts, startPasskeyApp } from '../../support/passkeys.js'
import { newPerson, stored, type Person } from '../../support/people.js'
import { outcome } from '../../support/rest.js'
import { written } from '../../support/trail.js'

describe('passkeys, with mail and an audit trail', () => {
  let mailbox: Mailbox
  let t: TestApp
  let accounts: ReturnType<typeof passkeyAccounts>
  let mails: ReturnType<typeof mailAccounts>

  before(async () => {
    mailbox = await startMailbox()
    t = await startPasskeyApp({ settings: mailTo(mailbox) })
    accounts = passkeyAccounts(t)
    mails = mailAccounts(t, mailbox)
  })
  after(async () => {
    await t.stop()
    await mailbox.close()
  })

  async function eventsOf(userId: string, type: string): Promise<any[]> {
    await written(t)

    return t.db.collection('events').find({ userId, type }).toArray()
  }

  /** Someone whose address is verified, with a passkey: what the mail about it says. */
  async function owner() {
    const person = await mails.verified()
    const device = accounts.device()
    const { status, body } = await accounts.add(person, device)

    assert.equal(status, 201)
    return { person, device, passkey: body, mail: await mailbox.next(person.email) }
  }

  const mailsAndEvents = async ({ id, email }: Person, type: string) => ({
    subject: (await mailbox.next(email)).subject,
    factor: (await eventsOf(id, type))[0].factor
  })

  it('are told when they are added, with a link that takes it back', async () => {
    const { person, device, mail } = await owner()
    const link = linkIn(mail)

    assert.equal(mail.subject, 'A second factor has been added')
    assert.equal((await eventsOf(person.id, 'factor-added'))[0].factor, 'passkey')
    assert.equal((await mails.keep(link)).status, 200)
    assert.ok(!('factors' in (await stored(t, person.email))))
    assert.equal(outcome(await accounts.signIn(device)), '401 invalid')
  })

  it('are told when they are removed', async () => {
    const { person, device, passkey } = await owner()
    const again = await accounts.signedIn(person, device)

    assert.equal((await again.ask('DELETE', `/passkeys/${passkey.id}`)).status, 200)
    assert.deepEqual(await mailsAndEvents(person, 'factor-removed'), {
      subject: 'A second factor has been removed',
      factor: 'passkey'
    })
  })

  it('are restored after somebody removed them and registered their ids elsewhere', async () => {
    const { person, device, passkey } = await owner()
    const thief = await accounts.signedIn(person, device)
    const squatter = await newPerson(t)
    const credentialId = device.passkeys[0]!.credentialId
    const own = accounts.device()

    assert.equal((await accounts.add(thief, own)).status, 201)

    const link = linkIn(await mailbox.next(person.email))

    assert.equal((await thief.ask('DELETE', `/passkeys/${passkey.id}`)).status, 200)
    assert.deepEqual(
      (await thief.ask('GET', '/passkeys')).body.map(({ id }: { id: string }) => id === passkey.id),
      [false]
    )
    assert.equal(outcome(await accounts.signIn(device)), '401 invalid')

    for (const person of [squatter, thief]) {
      const { status } = await accounts.add(person, accounts.device(), { oddities: { credentialId } })

      assert.equal(status, 409)
    }

    assert.equal((await mails.keep(link)).status, 200)
    assert.equal((await thief.ask('GET', '/passkeys')).status, 401)
    assert.equal((await accounts.signIn(device)).status, 201)
    assert.equal(outcome(await accounts.signIn(own)), '401 invalid')
  })

  it('end all sessions by the link even where what it restores belongs to another by now', async () => {
    const { person, device } = await owner()
    const thief = await accounts.signedIn(person, device)
    const users = t.db.collection('users')

    assert.equal((await accounts.add(thief, accounts.device())).status, 201)

    const link = linkIn(await mailbox.next(person.email))
    const { email, ...other } = await stored(t, person.email)

    await users.updateOne({ _id: other._id }, { $set: { email: 'changed@example.com' } })
    await users.insertOne({ email })

    assert.equal(outcome(await mails.keep(link)), '400 invalid')
    assert.equal((await thief.ask('GET', '/passkeys')).status, 401)
  })

  it('leave no more on the account than they are, however often they come and go', async () => {
    const { person, device } = await owner()
    const fat = {
      labels: new Map([[-70_000, new Uint8Array(11_000)]]),
      transports: Array<string>(16).fill('x'.repeat(32))
    }
    let thief = await accounts.signedIn(person, device)
    let last = 'none'

    for (let round = 0; round < 15; round++) {
      const { status, body } = await accounts.add(thief, accounts.device(), { oddities: fat })

      assert.equal(status, 201)
      assert.equal((await thief.ask('DELETE', `/passkeys/${last}`)).status, round === 0 ? 404 : 200)
      last = body.id
    }

    const { sessions: _sessions, ...user } = await stored(t, person.email)

    assert.equal(user.formerEmails.length, 10)
    assert.ok(BSON.calculateObjectSize(user) < 32_000, `${BSON.calculateObjectSize(user)} bytes`)

    // A week later, nothing is left of them
    t.clock.advance(8 * 24 * 60 * 60_000)
    thief = await accounts.signedIn(person, device)
    assert.equal((await accounts.add(thief, accounts.device())).status, 201)

    const { factors, formerEmails } = await stored(t, person.email)

    assert.equal(factors.length, 3)
    assert.equal(formerEmails.length, 1)
  })

  it('sign in as the trail tells, also when they are refused', async () => {
    const { person, device } = await owner()
    const { status } = await accounts.signIn(device)

    assert.equal(status, 201)
    assert.deepEqual((await eventsOf(person.id, 'signed-in')).map(({ strategy }) => strategy).toSorted(), [
      'local',
      'passkey'
    ])

    const { data } = (await accounts.client.signIn(person.email)).body
    const { id, options } = await accounts.challenge('factor', { challenge: data.challenge })
    const refused = await accounts.use(id, device.get(options, { origin: 'https://evil.example' }))

    assert.equal(outcome(refused), '401 invalid')

    const [event] = await eventsOf(person.id, 'sign-in-refused')

    assert.equal(event.strategy, 'passkey')
    assert.equal(event.reason, 'invalid')
  })

  it('are noted when their counter does not grow', async () => {
    const { person, device } = await owner()
    const noted = async () => (await eventsOf(person.id, 'passkey-counter-stalled')).length

    for (const [counter, count] of [
      [7, 0],
      [8, 0],
      [8, 1],
      [3, 2],
      [0, 3],
      [9, 3]
    ] as [number, number][]) {
      assert.equal((await accounts.signIn(device, { counter })).status, 201)
      assert.equal(await noted(), count, `${counter}`)
    }
  })

  it('are not noted when they do not count at all', async () => {
    const { person, device } = await owner()

    for (let index = 0; index < 3; index++) {
      assert.equal((await accounts.signIn(device, { counter: 0 })).status, 201)
    }

    assert.deepEqual(await eventsOf(person.id, 'passkey-counter-stalled'), [])
  })

  it('stay in force after a reset of the password, where the address was verified', async () => {
    const { person, device } = await owner()

    assert.equal(
      (await mails.reset(await mails.resetLink(person.email), 'another horse battery')).status,
      200
    )
    assert.equal((await accounts.signIn(device)).status, 201)
  })

  it('go with all that others may have left on an account whose address was never proved', async () => {
    const { person } = await mails.unverified()
    const device = accounts.device()

    assert.equal((await accounts.add(person, device)).status, 201)
    await mailbox.next(person.email)
    assert.equal(
      (await mails.reset(await mails.resetLink(person.email), 'another horse battery')).status,
      200
    )
    assert.equal(outcome(await accounts.signIn(device)), '401 invalid')

    const user = await stored(t, person.email)

    assert.ok(!('factors' in user || 'passkeyHandle' in user))
  })

  it('are in no answer, event or mail of a user', async () => {
    const { person, device, mail } = await owner()
    const [passkey] = device.passkeys
    const { _id } = await stored(t, person.email)
    const events = await t.db
      .collection('events')
      .find({ userId: String(_id) })
      .toArray()
    const told = JSON.stringify([
      await person.ask('GET', `/users/${person.id}`),
      await person.ask('GET', '/events'),
      await accounts.signIn(device),
      mail.text,
      events
    ])

    assert.ok(!told.includes(passkey!.credentialId) && !told.includes(passkey!.userHandle))

    for (const query of [
      'factors.kind=passkey',
      'passkeyHandle=x',
      '$select[]=factors',
      '$sort[factors]=1'
    ]) {
      assert.equal((await person.ask('GET', `/users?${query}`)).status, 400, query)
    }
  })
})
