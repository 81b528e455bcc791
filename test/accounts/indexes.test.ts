import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { mailAccounts } from '../support/mail-accounts.js'
import { codeIn, linkIn, mailTo, startMailbox, type Mailbox } from '../support/mailbox.js'
import { password } from '../support/rest.js'

describe('the queries of accounts by mail', () => {
  let mailbox: Mailbox
  let t: TestApp

  before(async () => {
    mailbox = await startMailbox()
    t = await startApp({
      settings: mailTo(mailbox, {
        authentication: { authStrategies: ['jwt', 'local', 'refresh-token', 'email-code'] }
      })
    })
  })
  after(async () => {
    await t.stop()
    await mailbox.close()
  })

  it('all use an index', async () => {
    const accounts = mailAccounts(t, mailbox)

    await t.db.command({ profile: 2 })

    const ada = await accounts.verified()
    const email = `${randomUUID()}@example.com`

    await ada.ask('PATCH', `/users/${ada.id}`, { body: { email, currentPassword: password } })
    await accounts.verify(linkIn(await mailbox.next(email)), { password })
    await mailbox.next(ada.email)

    const keep = linkIn(await mailbox.next(ada.email))
    const { body } = await accounts.client.ask('POST', '/sign-in-codes', { body: { email } })

    await accounts.client.authenticate({
      strategy: 'email-code',
      id: body.id,
      code: codeIn(await mailbox.next(email))
    })
    await accounts.keep(keep)
    await accounts.reset(await accounts.resetLink(ada.email), 'another horse battery')
    await mailbox.next(ada.email)
    await t.db.command({ profile: 0 })

    const seen = await t.db
      .collection('system.profile')
      .find({
        ns: {
          $in: ['users', 'outbox', 'signInCodes', 'events'].map((name) => `${t.db.databaseName}.${name}`)
        }
      })
      .toArray()

    assert.ok(seen.length > 50)
    assert.deepEqual(
      seen
        // A change stream reads the oplog
        .filter(({ command }) => !('aggregate' in command) && !('getMore' in command))
        .filter(({ planSummary }) => String(planSummary).includes('COLLSCAN'))
        .map(({ op, command }) => `${op}: ${JSON.stringify(command)}`),
      []
    )
  })
})
