import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { templates, type Mail } from '../../src/accounts/index.js'
import { accountSite } from '../support/account-site.js'
import { withoutChromium } from '../support/chromium.js'
import { newGuarded, withFactors } from '../support/factors.js'
import { linkIn } from '../support/mailbox.js'
import { newPerson, stored } from '../support/people.js'
import { outcome, password, restClient } from '../support/rest.js'
import { poll } from '../support/socket.js'

const newPassword = 'another horse battery'
const newEmail = () => `${randomUUID()}@example.com`

describe('accounts by mail on the page', { skip: withoutChromium }, () => {
  const mails: Mail[] = []
  const site = accountSite({
    settings: { mail: { from: 'Example <hello@example.com>' } },
    deliver: async (mail) => mails.push(mail)
  })
  const { open, signedIn } = site

  /** The newest mail of a kind to an address. */
  const mailTo = (email: string, kind: Mail['kind']): Promise<Mail> =>
    poll(
      () => mails.findLast((mail) => mail.to === email && mail.kind === kind),
      `${kind} to ${email}`,
      10_000
    )

  /** What follows the page's address in the link of a mail. */
  async function fragmentOf(email: string, kind: Mail['kind']): Promise<string> {
    const { purpose, id, token } = linkIn(await mailTo(email, kind))

    return `/#${purpose}=${id}.${token}`
  }

  /** How often one went back in its history to an address with a token: never. */
  const addresses = async (page: { url(): string; goBack(): Promise<unknown> }) => {
    const seen = [page.url()]

    await page.goBack()
    return [...seen, page.url()]
  }

  it('lets a user who forgot the password choose another one', async () => {
    const { email } = await newPerson(site.t)
    const visitor = await open()
    const { page, look, field, button, reads, heading, signIn, isHome, isOutside } = visitor

    await page.getByRole('link', { name: 'Forgotten your password?' }).click()
    await heading('Choose a new password').waitFor()
    await look('forgotten')
    await field('Email').fill(email)
    await button('Mail me a link').click()
    await reads('If there is an account with that address, a mail with a link is on its way.')
    await isOutside()

    await page.goto(await fragmentOf(email, 'password-reset'))
    await heading('Choose a new password').waitFor()
    await look('password-reset')
    assert.equal(page.url(), `${site.t.address}/`)

    await field('New password').fill('short')
    await button('Set the password').click()
    assert.equal(await visitor.errorOf('New password'), 'Must have 8 to 128 characters.')
    await field('New password').fill(newPassword)
    await button('Set the password').click()
    await reads('Your password is set. Please sign in with it.')
    await look('password-set')
    await signIn(email, newPassword)
    await isHome()
    assert.equal(outcome(await restClient(site.t.address).signIn(email)), '401')
  })

  it('does not use a link up by opening it, and leaves its token in no address and no history', async () => {
    const { email } = await newPerson(site.t)
    const { page, heading, button, field, reads } = await open()

    await restClient(site.t.address).ask('POST', '/password-resets', { body: { email } })
    const fragment = await fragmentOf(email, 'password-reset')

    // As a scanner does, with scripts
    const scanner = await open()

    await scanner.page.goto(fragment)
    await scanner.heading('Choose a new password').waitFor()

    await page.goto(fragment)
    await heading('Choose a new password').waitFor()
    assert.deepEqual(
      (await addresses(page)).filter((address) => address.includes('password-reset')),
      []
    )
    await page.goto(fragment)
    await field('New password').fill(newPassword)
    await button('Set the password').click()
    await reads('Your password is set. Please sign in with it.')

    await page.goto(fragment)
    await field('New password').fill(newPassword)
    await button('Set the password').click()
    await reads('This link is no longer valid')
    await page.getByRole('link', { name: 'Not now' }).click()
    await heading('Sign in').waitFor()
  })

  it('confirms an address: with a button for the signed-in user, with the password for others', async () => {
    const [ada, grace] = [await newPerson(site.t), await newPerson(site.t)]
    const one = await signedIn(ada.email)

    await one.reads(`${ada.email} is not confirmed`)
    await one.look('unconfirmed')
    await one.page.goto(await fragmentOf(ada.email, 'verify-email'))
    await one.heading('Confirm your address').waitFor()
    await poll(async () => !(await one.field('Your password').isVisible()), 'no field')
    await one.look('confirm')
    await one.button('Confirm this address').click()
    await one.reads('Your address is confirmed.')
    await one.isHome()
    assert.equal((await stored(site.t, ada.email)).emailVerified, true)
    await poll(async () => !(await one.page.getByText('is not confirmed').isVisible()), 'nothing to confirm')

    const other = await open()

    await other.page.goto(await fragmentOf(grace.email, 'verify-email'))
    await other.field('Your password').fill('wrong horse battery')
    await other.button('Confirm this address').click()
    await other.reads('The password is not right.')
    await other.field('Your password').fill(password)
    await other.button('Confirm this address').click()
    await other.reads('Your address is confirmed.')
    assert.equal((await stored(site.t, grace.email)).emailVerified, true)
  })

  it('mails the link again', async () => {
    const { email } = await newPerson(site.t)
    const { button, reads } = await signedIn(email)
    const first = await fragmentOf(email, 'verify-email')

    site.t.clock.advance(1000)
    await button('Send the mail again').click()
    await reads('The mail is on its way.')
    await poll(async () => (await fragmentOf(email, 'verify-email')) !== first, 'another link')
  })

  it('lets an admin mail a user a link to choose a new password', async () => {
    const [admin, ada] = [await newPerson(site.t, 'admin'), await newPerson(site.t)]
    const { page, button, reads, look } = await signedIn(admin.email)

    await page.getByRole('searchbox').fill(ada.email)
    await reads('1 found')
    await look('people-with-mail')
    await button(`Reset the password of ${ada.email}`).click()
    await reads(`${ada.email} gets a mail with a link to choose a new password.`)
    assert.match(await fragmentOf(ada.email, 'password-reset'), /^\/#password-reset=/)
    await page.getByRole('searchbox').fill(admin.email)
    await page.getByRole('region', { name: 'People' }).getByText('You', { exact: true }).waitFor()
    assert.equal(await page.getByRole('button', { name: /^Reset / }).count(), 0)
  })

  it('changes the address, and reverts the change', async () => {
    const ada = await newPerson(site.t)
    const email = newEmail()
    const { page, look, field, button, reads, isHome, heading, isOutside } = await signedIn(ada.email)

    await page.goto(await fragmentOf(ada.email, 'verify-email'))
    await button('Confirm this address').click()
    await isHome()

    await page.getByText('Change the email').first().click()
    await field('New email').fill(email)
    await field('Your password').first().fill(password)
    await button('Change the email').click()
    await reads(`A mail with a link is on its way to ${email}.`)
    await reads(`${email} takes the place of ${ada.email}`)
    await look('pending-email')

    await page.goto(await fragmentOf(email, 'verify-email'))
    await button('Confirm this address').click()
    await isHome()
    await poll(async () => (await stored(site.t, email)).emailVerified, 'the change')

    await page.goto(await fragmentOf(ada.email, 'email-changed'))
    await heading('Keep the old address').waitFor()
    await look('keep-email')
    await button('Keep the old address').click()
    await reads('Your old address is back.')
    await isOutside()
    assert.equal((await stored(site.t, ada.email)).password, undefined)
  })
})

describe('a sign-in by mail on the page', { skip: withoutChromium }, () => {
  const mails: Mail[] = []
  const settings = withFactors({
    mail: { from: 'hello@example.com' },
    authentication: {
      ...(withFactors().authentication as object),
      authStrategies: ['jwt', 'local', 'refresh-token', 'email-code', 'totp', 'recovery-code'],
      'refresh-token': { strategies: ['local', 'email-code'] }
    }
  })
  const site = accountSite({ settings, deliver: async (mail) => mails.push(mail) })

  const codeTo = async (email: string): Promise<string> => {
    const { text } = await poll(
      () => mails.find(({ to, kind }) => to === email && kind === 'sign-in-code'),
      `a code to ${email}`,
      10_000
    )

    return /\b\d{6}\b/.exec(text)![0]
  }

  it('takes the code of the mail, and then a factor of who has one', async () => {
    const { person, app } = await newGuarded(site.t)
    const { page, look, field, button, reads, isHome, isOutside } = await site.open()

    // Whoever proves an address that nobody proved before finds no factors of others
    await site.t.db.collection('users').updateOne({ email: person.email }, { $set: { emailVerified: true } })

    await isOutside()
    await page.getByRole('link', { name: 'Sign in with a code by mail' }).click()
    await button('Mail me a code').waitFor() // until then there is another field of this name
    await field('Email').fill(person.email)
    await look('mail-code')
    await button('Mail me a code').click()
    await reads('If there is an account with that address, a code is on its way.')
    await look('mail-code-sent')

    const code = await codeTo(person.email)

    await field('Code from the mail').fill(code === '000000' ? '000001' : '000000')
    await button('Continue').click()
    await reads('That code is not right.')
    await field('Code from the mail').fill(code)
    await button('Continue').click()
    await reads('This account has two-step sign-in.')
    await field('Code from your app').fill(app.next())
    await button('Continue').click()
    await isHome()
    assert.equal(page.url(), `${site.t.address}/`)
    assert.equal((await stored(site.t, person.email)).sessions.at(-1).strategy, 'email-code')
  })

  it('says when a code is too old, and mails another', async () => {
    const { email } = await newPerson(site.t)
    const { page, field, button, reads, isOutside } = await site.open()

    await isOutside()
    await page.getByRole('link', { name: 'Sign in with a code by mail' }).click()
    await button('Mail me a code').waitFor() // until then there is another field of this name
    await field('Email').fill(email)
    await button('Mail me a code').click()
    await field('Code from the mail').fill(await codeTo(email))
    site.t.clock.advance(11 * 60_000)
    await button('Continue').click()
    await reads('That code is too old, or was tried too often. Have another one mailed.')
    await button('Mail another code').click()
    await field('Email').waitFor()
    assert.equal(await field('Code from the mail').isVisible(), false)
  })
})

describe('mails', { skip: withoutChromium }, () => {
  const site = accountSite()
  const data = {
    sender: 'Example',
    url: 'https://app.example.com/',
    email: 'ada@example.com',
    newEmail: 'ada@example.org',
    oldEmail: 'ada@example.com',
    link: `https://app.example.com/#password-reset=${'i'.repeat(22)}.${'t'.repeat(43)}`,
    minutes: 30,
    code: '042137',
    device: 'Firefox on Linux (192.0.2.1)',
    time: '2026-01-01 12:00 UTC',
    kind: 'totp',
    left: 3,
    user: {}
  }

  for (const [kind, template] of Object.entries(templates)) {
    it(`can be read in light and dark, on a phone as well: ${kind}`, async () => {
      const { page, look, expects } = await site.open({ viewport: { width: 390, height: 844 } })
      const { html } = template(data)

      expects(/icon\.svg/) // of the page that is left
      await page.goto('about:blank')
      await page.setContent(html!)
      assert.ok(
        await page.evaluate(() => {
          const { scrollWidth, clientWidth } = (globalThis as any).document.documentElement

          return scrollWidth <= clientWidth
        }),
        'nothing is beyond the edge'
      )
      await look(`mail-${kind}`)
    })
  }
})

describe('the page of a service without mail', { skip: withoutChromium }, () => {
  const site = accountSite()

  it('offers nothing that needs mail', async () => {
    const { email } = await newPerson(site.t)
    const { page, isOutside, signIn, isHome } = await site.open()

    await isOutside()
    assert.equal(await page.getByRole('link', { name: 'Forgotten your password?' }).isVisible(), false)
    await signIn(email)
    await isHome()
    assert.equal(await page.getByText('Change the email').first().isVisible(), false)
    assert.equal(await page.getByText('is not confirmed').isVisible(), false)
  })
})

describe('the page where sign-ins need a confirmed address', { skip: withoutChromium }, () => {
  const mails: Mail[] = []
  const site = accountSite({
    settings: { mail: { from: 'hello@example.com' }, accounts: { verified: 'sign-in' } },
    deliver: async (mail) => mails.push(mail)
  })

  it('says so after a sign-up', async () => {
    const { signUp, reads, look } = await site.open()

    await signUp(newEmail())
    await reads('Your email is not confirmed yet. Open the link that was mailed to you')
    await look('unverified')
    await poll(() => mails.length >= 1, 'the mail')
  })
})
