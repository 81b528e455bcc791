import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import type { Mail } from '../../src/accounts/index.js'
import { accountSite } from '../support/account-site.js'
import { addAuthenticator, withoutChromium, type VirtualAuthenticator } from '../support/chromium.js'
import { linkIn } from '../support/mailbox.js'
import { startPasskeyApp } from '../support/passkeys.js'
import { newPerson, stored } from '../support/people.js'
import { poll } from '../support/socket.js'

const phone = { viewport: { width: 390, height: 844 } }
const minute = 60_000
const newEmail = () => `${randomUUID()}@example.com`

describe('passkeys on the page', { skip: withoutChromium }, () => {
  const authStrategies = ['jwt', 'local', 'refresh-token', 'totp', 'recovery-code', 'passkey']
  const site = accountSite({ settings: { authentication: { authStrategies } } }, startPasskeyApp)

  /** The page, on a device with an authenticator. */
  const open = async (context: object = {}, options: VirtualAuthenticator = {}) => {
    const visitor = await site.open(context)
    const authenticator = await addAuthenticator(visitor.page, options)

    return {
      ...visitor,
      authenticator,
      /** Signs out, and leaves, so that what the browser suggests is not taken. */
      async signOut() {
        await authenticator.setPresent(false)
        await visitor.button('Sign out').click()
        await visitor.isOutside()
      },
      /** Somebody new, who has added a passkey. */
      async withPasskey() {
        const person = await newPerson(site.t)

        await visitor.signIn(person.email)
        await visitor.isHome()
        await visitor.button('Add a passkey').click()
        await visitor.keepCodes()
        await visitor.reads('The passkey is added.')
        return person
      }
    }
  }

  it('are added under a suggested name, renamed, and sign in by themselves', async () => {
    const visitor = await open()
    const { look, button, security, page, signOut, isHome, authenticator, withPasskey } = visitor
    const { email } = await withPasskey()

    await security.getByRole('heading', { name: 'Chrome on Linux' }).waitFor()
    await button('Rename the passkey Chrome on Linux').click()
    await page.getByRole('textbox', { name: 'Name of the passkey' }).fill('Laptop')
    await page.keyboard.press('Enter')
    await security.getByRole('heading', { name: 'Laptop' }).waitFor()
    await button('Rename the passkey Laptop').and(page.locator(':focus')).waitFor()
    await look('passkeys-on')

    await signOut()
    await button('Sign in with a passkey').waitFor()
    await look('passkeys-sign-in')
    await authenticator.setPresent(true)
    await button('Sign in with a passkey').click()
    await isHome()
    assert.equal((await stored(site.t, email)).sessions.at(-1).strategy, 'passkey')
    assert.equal(page.url(), `${site.t.address}/`)
  })

  it('are suggested in the field for the email', async () => {
    const { withPasskey, button, isHome } = await open()
    const { email } = await withPasskey()

    // Whom Chromium's authenticator takes to be there takes what is suggested
    await button('Sign out').click()
    await poll(
      async () => (await stored(site.t, email)).sessions.at(-1)?.strategy === 'passkey',
      'a sign-in with the passkey'
    )
    await isHome()
  })

  it('sign up without a password, and the last one stays', async () => {
    const { page, look, button, field, isHome, security, dialog, reads, isOutside } = await open(phone)
    const email = newEmail()

    await isOutside()
    await page.getByRole('link', { name: 'Create an account' }).click()
    await button('Use a passkey instead of a password').click()
    assert.equal(await field('Password').isVisible(), false)
    await field('Email').fill(email)
    await look('phone-passkeys-sign-up')
    await button('Create the account').click()
    await isHome()

    const user = await stored(site.t, email)

    assert.equal(user.password, undefined)
    await look('phone-passkeys')
    await security.getByRole('button', { name: /^Remove / }).click()
    await dialog.getByRole('button', { name: 'Remove' }).click()
    await reads(/last way in/)
    assert.equal((await stored(site.t, email)).factors.length, 1)
  })

  it('are the second step after a password, and a step-up', async () => {
    const {
      page,
      look,
      withPasskey,
      signOut,
      signIn,
      button,
      authenticator,
      isHome,
      heading,
      reads,
      dialog
    } = await open()
    const { email } = await withPasskey()

    await signOut()
    await signIn(email)
    await reads('This account has two-step sign-in.')
    await button('Use a passkey').and(page.locator(':focus')).waitFor()
    await look('passkeys-gate')
    await authenticator.setPresent(true)
    await button('Use a passkey').click()
    await isHome()

    site.t.clock.advance(11 * minute)
    await button('Add an app for codes').click()
    await heading('Is it still you?').waitFor()
    await look('passkeys-step-up')
    await dialog.getByRole('button', { name: 'Use a passkey' }).click()
    await heading('Add an app for codes').waitFor()
  })

  it('can be cancelled', async () => {
    const { button, authenticator, reads, signIn, isHome, security, isOutside, page } = await open()
    const { email } = await newPerson(site.t)

    await signIn(email)
    await isHome()
    await authenticator.setUserVerified(false)
    await button('Add a passkey').click()
    await reads('No passkey was used.')
    await security.getByText('Off: whoever knows').waitFor()
    await button('Sign out').click()
    await isOutside()
    await button('Sign in with a passkey').click()
    await page.getByRole('alert').filter({ hasText: 'No passkey was used.' }).waitFor()
  })

  it('are not offered by a browser without them', async () => {
    const { page, isOutside, signIn, isHome, button, security } = await site.open()
    const { email } = await newPerson(site.t)

    await page.addInitScript(() => delete (globalThis as any).PublicKeyCredential)
    await page.reload()
    await isOutside()
    assert.equal(await button('Sign in with a passkey').isVisible(), false)
    await signIn(email)
    await isHome()
    await security.getByText('Off: whoever knows').waitFor()
    assert.equal(await button('Add a passkey').isVisible(), false)
  })
})

describe('passkeys on the page where sign-ins need a confirmed address', { skip: withoutChromium }, () => {
  const mails: Mail[] = []
  const site = accountSite(
    {
      settings: { mail: { from: 'hello@example.com' }, accounts: { verified: 'sign-in' } },
      deliver: async (mail) => mails.push(mail)
    },
    startPasskeyApp
  )

  it('sign up, and confirm the address in place of a password', async () => {
    const { page, expects, field, button, reads, heading, isHome, isOutside } = await site.open()
    const email = newEmail()

    expects(/icon\.svg/) // of the page that is left
    await addAuthenticator(page)
    await isOutside()
    await page.getByRole('link', { name: 'Create an account' }).click()
    await button('Use a passkey instead of a password').click()
    await field('Email').fill(email)
    await button('Create the account').click()
    await reads('Your account is created. Open the link that was mailed to you')

    const { purpose, id, token } = linkIn(
      await poll(() => mails.find(({ to }) => to === email), 'the mail', 10_000)
    )

    await page.goto('about:blank')
    await page.goto(`/#${purpose}=${id}.${token}`)
    await heading('Confirm your address').waitFor()
    await button('Use a passkey').click()
    await poll(async () => (await stored(site.t, email)).emailVerified, 'the confirmation')
    await isHome() // with the passkey that Chromium suggests
  })
})

describe('the page of a service with passkeys alone', { skip: withoutChromium }, () => {
  const site = accountSite({}, startPasskeyApp)

  it('adds no app for codes, which nothing would take at a sign-in', async () => {
    const { email } = await newPerson(site.t)
    const { button, reads } = await site.signedIn(email)

    await button('Add an app for codes').click()
    await reads('This service takes no codes of apps.')
    assert.equal((await stored(site.t, email)).pendingFactor, undefined)
  })
})
