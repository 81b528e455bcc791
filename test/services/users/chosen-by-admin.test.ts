import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { enrol, factorClient, withFactors } from '../../support/factors.js'
import { mailAccounts } from '../../support/mail-accounts.js'
import { linkIn, mailTo, startMailbox, type Mailbox } from '../../support/mailbox.js'
import { newPerson, stored, type Person } from '../../support/people.js'
import { restClient } from '../../support/rest.js'
import { poll } from '../../support/socket.js'

const chosen = 'chosen by an admin'
const own = 'another horse battery'

for (const withMail of [false, true]) {
  describe(`a password that an admin sets, ${withMail ? 'with' : 'without'} mail`, () => {
    let mailbox: Mailbox
    let t: TestApp
    let ada: Person
    let admin: Person

    before(async () => {
      mailbox = await startMailbox()
      t = await startApp({ settings: withFactors(withMail ? mailTo(mailbox) : {}) })
      admin = await newPerson(t, 'admin')
    })
    after(async () => {
      await t.stop()
      await mailbox.close()
    })

    async function setByAdmin(): Promise<void> {
      ada = await newPerson(t)
      const { status, body } = await admin.ask('PATCH', `/users/${ada.id}`, { body: { password: chosen } })

      assert.equal(status, 200)
      assert.equal(body.newPasswordNeeded, undefined)
    }

    const signIn = async (password: string) =>
      (await restClient(t.address).signIn(ada.email, { password })).body

    it('asks for another at each sign-in, until the user has chosen one', async () => {
      await setByAdmin()
      assert.equal((await signIn(chosen)).authentication.newPasswordNeeded, true)

      const { authentication, accessToken, user } = await signIn(chosen)

      assert.equal(authentication.newPasswordNeeded, true)
      assert.equal(user.newPasswordNeeded, undefined)
      await restClient(t.address).ask('PATCH', `/users/${ada.id}`, {
        token: accessToken,
        body: { password: own, currentPassword: chosen }
      })
      assert.equal((await signIn(own)).authentication.newPasswordNeeded, undefined)
    })

    it('asks for another after a second step, too, but not at a step-up', async () => {
      await setByAdmin()

      const { accessToken: token } = await signIn(chosen)
      const { app } = await enrol(t, ada, token)
      const on = factorClient(t.address)
      const { data } = await signIn(chosen)
      const { body } = await on.totp(data.challenge, app.next())

      assert.equal(body.authentication.newPasswordNeeded, true)

      const raised = await on.stepUp(body.accessToken, { strategy: 'totp', code: app.next() })

      assert.equal(raised.status, 201)
      assert.equal(raised.body.authentication.newPasswordNeeded, undefined)
      await restClient(t.address).ask('PATCH', `/users/${ada.id}`, {
        token: raised.body.accessToken,
        body: { password: own, currentPassword: chosen }
      })

      const after = await on.totp((await signIn(own)).data.challenge, app.next())

      assert.equal(after.status, 201)
      assert.equal(after.body.authentication.newPasswordNeeded, undefined)
    })

    it('is noted in the audit trail, by that admin', async () => {
      await setByAdmin()
      await poll(
        () => t.db.collection('events').findOne({ type: 'password-changed', userId: ada.id, by: admin.id }),
        'it is noted',
        30_000
      )
    })

    if (withMail) {
      it('comes with a link to choose another, stored with the change, which is enough', async () => {
        await setByAdmin()

        const accounts = mailAccounts(t, mailbox)
        const reset = await poll(
          () =>
            mailbox.mails.find(({ to, subject }) => to === ada.email && subject === 'Choose a new password'),
          'the link',
          30_000
        )

        assert.equal((await accounts.reset(linkIn(reset), own)).status, 200)
        assert.equal((await signIn(own)).authentication.newPasswordNeeded, undefined)
        assert.equal((await stored(t, ada.email)).newPasswordNeeded, undefined)
      })
    }
  })
}
