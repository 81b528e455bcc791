import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Page } from 'playwright-core'
import { accountPage } from '../support/account-page.js'
import { accountSite } from '../support/account-site.js'
import { withApp } from '../support/app.js'
import { withoutChromium } from '../support/chromium.js'
import { authenticator, enrol, factorClient, newGuarded, withFactors } from '../support/factors.js'
import { newPerson, stored } from '../support/people.js'
import { until } from '../support/until.js'
import { password } from '../support/rest.js'

const phone = { viewport: { width: 390, height: 844 } }
const minute = 60_000

/** Nothing is beyond the edge. */
const isWithin = (page: Page) =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = (globalThis as any).document.documentElement

    return scrollWidth <= clientWidth
  })

/** The name of the field or button that has the focus. */
const focused = (page: Page) =>
  page.evaluate(() => {
    const { activeElement } = (globalThis as any).document

    return (activeElement.labels?.[0] ?? activeElement).textContent.trim()
  })

const everythingOf = (page: Page) =>
  page.evaluate(() => {
    const { document, localStorage, sessionStorage, location } = globalThis as any

    return [
      document.documentElement.outerHTML,
      JSON.stringify({ ...localStorage, ...sessionStorage }),
      location.href
    ].join()
  })

describe('two-step sign-in on the page', { skip: withoutChromium }, () => {
  const site = accountSite({ settings: withFactors() })
  const { open, signedIn } = site

  it('is turned on with an app for codes, and says what becomes of other devices', async () => {
    const { email } = await newPerson(site.t)
    const [one, other] = await Promise.all([signedIn(email), signedIn(email)])

    await one.security.getByText('Off: whoever knows your password can sign in').waitFor()
    await one.look('factors-off')
    await one.button('Add an app for codes').click()
    await one.heading('Add an app for codes').waitFor()
    assert.equal(await focused(one.page), 'Add an app for codes')

    const key = await one.dialog.locator('.key').innerText()
    const secret = key.replaceAll(' ', '')
    const app = authenticator(site.t, secret)
    const uri = new URL((await one.page.getByRole('link', { name: /open the app/ }).getAttribute('href'))!)

    assert.equal(uri.protocol, 'otpauth:')
    assert.equal(uri.searchParams.get('secret'), secret)
    assert.ok(await one.page.getByRole('img', { name: 'QR code for the app' }).locator('path').isVisible())
    await one.look('factors-add-app')

    await one.field('The code that the app shows').fill('000000')
    await one.button('Add the app').click()
    await one.reads('That code is not right. Is the clock')
    await one.look('factors-add-app-refused')
    await one.field('The code that the app shows').fill(app.code())
    await one.field('Name of the app optional').fill('Old phone')
    await one.button('Add the app').click()

    await one.heading('Your recovery codes').waitFor()
    await one.reads('Your other devices were signed out, since they had signed in without it.')
    assert.ok(await one.button('Done').isDisabled())
    await one.page.keyboard.press('Escape')
    assert.ok(await one.dialog.isVisible(), 'codes that nobody kept stay')
    await one.look('factors-codes')

    const codes = await one.keepCodes()

    assert.equal(new Set(codes).size, 10)
    await one.security.getByText('On: a password alone').waitFor()
    await one.security.getByText('10 of 10 left').waitFor()
    await one.security.getByRole('heading', { name: 'Old phone' }).waitFor()
    await one.look('factors-on')

    const everything = await everythingOf(one.page)

    assert.ok(
      [secret, key, ...codes].every((text) => !everything.includes(text)),
      'none of it stays'
    )
    await other.isOutside()
    await other.reads('Two-step sign-in was changed on another device. That signs out all the others.')
  })

  it('says so where other devices stay signed in', async () => {
    const settings = withFactors({
      authentication: {
        ...(withFactors().authentication as object),
        factors: { secret: 's'.repeat(32), otherSessions: 'keep' }
      }
    })

    await withApp({ settings }, async (keeping) => {
      const { email } = await newPerson(keeping, 'user', { device: { name: 'Old laptop' } })
      const visitor = await site.guests.open({ baseURL: keeping.address })
      const { signIn, isHome, button, dialog, field, reads, keepCodes, devices } = accountPage(visitor.page)

      await signIn(email)
      await isHome()
      await button('Add an app for codes').click()

      const secret = (await dialog.locator('.key').innerText()).replaceAll(' ', '')

      await field('The code that the app shows').fill(authenticator(keeping, secret).code())
      await button('Add the app').click()
      await reads('1 other device that signed in without it stays signed in.')
      await keepCodes()

      // It was a step-up, too
      await button('Make new ones').click()
      await dialog.getByRole('button', { name: 'Make new ones' }).click()
      await keepCodes()

      const marked = devices.filter({
        has: visitor.page.locator('.tag:visible', { hasText: 'Without the second step' })
      })

      await marked.waitFor()
      assert.match(await marked.innerText(), /^Old laptop/)
      await visitor.look('factors-kept')
      await site.guests.closeAll()
    })
  })

  it('shows what was added elsewhere once the page is visible again', async () => {
    const person = await newPerson(site.t)
    const { page, security, signIn, isHome, isOutside, field, button } = await open()
    const { app, recoveryCodes } = await enrol(site.t, person)

    await isOutside()
    await signIn(person.email)
    await field('Code from your app').fill(app.next())
    await button('Continue').click()
    await isHome()
    await security.getByText('10 of 10 left').waitFor()

    const elsewhere = factorClient(site.t.address)

    await elsewhere.recover(await elsewhere.challenge(person.email), recoveryCodes[0]!)
    await page.evaluate(() => (globalThis as any).document.dispatchEvent(new Event('visibilitychange')))
    await security.getByText('9 of 10 left').waitFor()
  })

  it('takes a code after the password', async () => {
    const { person, app } = await newGuarded(site.t)
    const { page, look, signIn, field, button, reads, isHome } = await open()

    await signIn(person.email)
    await reads('This account has two-step sign-in.')
    assert.equal(await focused(page), 'Code from your app')
    assert.equal(await field('Code from your app').getAttribute('autocomplete'), 'one-time-code')
    assert.equal(await field('Code from your app').getAttribute('inputmode'), 'numeric')
    await look('gate')

    await field('Code from your app').fill('000000')
    await page.keyboard.press('Enter')
    await reads('That code is not right.')
    assert.equal(await focused(page), 'Code from your app')
    await look('gate-refused')

    await field('Code from your app').fill(app.next())
    await button('Continue').click()
    await isHome()
    assert.equal(page.url(), `${site.t.address}/`)
    assert.equal((await stored(site.t, person.email)).sessions.at(-1).strategy, 'local')
    await page.reload()
    await isHome()
  })

  it('takes a recovery code in its place, and says how many are left', async () => {
    const { person, recoveryCodes } = await newGuarded(site.t)
    const { page, look, signIn, field, button, isHome, security, isOutside } = await open(phone)

    await signIn(person.email)
    await button('Use a recovery code').click()
    assert.equal(await focused(page), 'Recovery code')
    assert.ok(await isWithin(page))
    await look('phone-gate-recovery')
    await field('Recovery code').fill(recoveryCodes[0]!)
    await button('Continue').click()
    await isHome()
    await security.getByText('9 of 10 left').waitFor()
    assert.ok(await isWithin(page))
    await look('phone-factors')

    await button('Sign out').click()
    await isOutside()
    await signIn(person.email)
    await button('Use a recovery code').click()
    await field('Recovery code').fill(recoveryCodes[0]!)
    await button('Continue').click()
    await page.getByText('That code is not right, or was used before.').waitFor()
    await button('Use a code from your app').click()
    assert.equal(await focused(page), 'Code from your app')
  })

  it('begins again when the second step took too long, or on demand', async () => {
    const { person, app } = await newGuarded(site.t)
    const { page, signIn, field, button, reads, isOutside, isHome } = await open()

    await signIn(person.email)
    await field('Code from your app').waitFor()
    await page.getByRole('link', { name: 'Start again' }).click()
    await isOutside()
    assert.equal(await focused(page), 'Sign in')

    await signIn(person.email)
    await field('Code from your app').fill(app.next())
    site.t.clock.advance(6 * minute)
    await button('Continue').click()
    await reads('That took too long, or there were too many tries. Sign in again.')
    await isOutside()
    await signIn(person.email)
    await field('Code from your app').fill(app.next())
    await button('Continue').click()
    await isHome()
  })

  it('says how long to wait after too many wrong codes', async () => {
    const settings = withFactors({
      rateLimit: {
        signIn: false,
        signUp: false,
        refresh: false,
        factor: { account: { limit: 1, per: '2m' } }
      }
    })

    await withApp({ settings }, async (limited) => {
      const { person } = await newGuarded(limited)
      const visitor = await site.guests.open({ baseURL: limited.address })
      const { signIn, field, button, reads } = accountPage(visitor.page)

      await signIn(person.email)
      for (const sentence of [/That code is not right/, /^Too many attempts\. Try again in 2 minutes\.$/]) {
        await field('Code from your app').fill('000000')
        await button('Continue').click()
        await reads(sentence)
      }
      await site.guests.closeAll()
    })
  })

  it('goes on with a sign-in that began elsewhere, whose challenge leaves the address at once', async () => {
    const { person, app } = await newGuarded(site.t)
    const challenge = await factorClient(site.t.address).challenge(person.email)
    const { page, expects, field, button, isHome } = await open()

    expects(/icon\.svg/) // of the page that is left
    // As the redirect after OAuth does
    await page.goto('about:blank')
    await page.goto(`/#factor=${challenge}&factors=totp%2Crecovery-code`)
    await field('Code from your app').fill(app.next())
    assert.equal(page.url(), `${site.t.address}/`)
    assert.ok(!(await everythingOf(page)).includes(challenge))
    await button('Continue').click()
    await isHome()
  })

  it('makes new recovery codes, and is turned off', async () => {
    const { person, app, recoveryCodes } = await newGuarded(site.t)
    const { page, look, signIn, field, button, isHome, keepCodes, security, dialog, reads } = await open()

    await signIn(person.email)
    await field('Code from your app').fill(app.next())
    await button('Continue').click()
    await isHome()

    await button('Make new ones').click()
    await dialog.getByText('The ones that you have now will no longer work.').waitFor()
    await dialog.getByRole('button', { name: 'Make new ones' }).click()

    const codes = await keepCodes()

    assert.ok(codes.every((code) => !recoveryCodes.includes(code)))
    await page.getByRole('button', { name: 'Remove the authenticator app' }).click()
    await dialog.getByText('It is the last one: two-step sign-in is then off').waitFor()
    await look('factors-remove')
    await dialog.getByRole('button', { name: 'Remove' }).click()
    await reads('You have removed the authenticator app.')
    await security.getByText('Off: whoever knows').waitFor()
    assert.equal((await stored(site.t, person.email)).factors?.length ?? 0, 0)
  })

  it('copies recovery codes, and prints nothing else', async () => {
    const { email } = await newPerson(site.t)
    const { page, context, button, dialog, field, heading } = await signedIn(email)

    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    await button('Add an app for codes').click()

    const secret = (await dialog.locator('.key').innerText()).replaceAll(' ', '')

    await field('The code that the app shows').fill(authenticator(site.t, secret).code())
    await button('Add the app').click()
    await heading('Your recovery codes').waitFor()

    const codes = await dialog.getByRole('list').getByRole('listitem').allInnerTexts()

    await button('Copy').click()
    await button('Copied').waitFor()
    assert.equal(
      await page.evaluate(() => (globalThis as any).navigator.clipboard.readText()),
      codes.join('\n')
    )

    await page.emulateMedia({ media: 'print' })
    assert.ok(await dialog.getByText(codes[9]!).isVisible())
    assert.ok(await dialog.getByText(`For ${email} · ${new URL(site.t.address).host}`).isVisible())
    assert.equal(await page.locator('main').isVisible(), false)
    assert.equal(await button('Print').isVisible(), false)
    await page.emulateMedia({ media: 'screen' })
  })
})

describe('a step-up on the page', { skip: withoutChromium }, () => {
  const site = accountSite({ settings: withFactors() })
  const { open, signedIn } = site

  it('asks for the password when the sign-in was long ago, and goes on where it was', async () => {
    const { email } = await newPerson(site.t)
    const { page, look, button, field, heading, dialog, reads } = await signedIn(email)

    site.t.clock.advance(11 * minute)
    await button('Add an app for codes').click()
    await heading('Is it still you?').waitFor()
    assert.equal(await focused(page), 'Your password')
    await look('step-up-password')

    await button('Cancel').click()
    await dialog.waitFor({ state: 'hidden' })
    assert.equal(await focused(page), 'Add an app for codes')
    assert.equal((await stored(site.t, email)).pendingFactor, undefined)

    await button('Add an app for codes').click()
    await field('Your password').fill('wrong horse battery')
    await button('Continue').click()
    await reads('The password is not right.')
    await field('Your password').fill(password)
    await button('Continue').click()
    await heading('Add an app for codes').waitFor()
    await button('Cancel').click()
    await page.reload()
    await button('Add an app for codes').click()
    await heading('Add an app for codes').waitFor()
  })

  it('asks for a factor of who has one', async () => {
    const { person, app } = await newGuarded(site.t)
    const { look, signIn, field, button, isHome, heading, dialog, reads } = await open()

    await signIn(person.email)
    await field('Code from your app').fill(app.next())
    await button('Continue').click()
    await isHome()
    site.t.clock.advance(11 * minute)
    await button('Remove the authenticator app').click()
    await dialog.getByRole('button', { name: 'Remove' }).click()
    await heading('Is it still you?').waitFor()
    assert.equal(await field('Your password').count(), 0)
    await look('step-up-factor')
    await field('Code from your app').fill(app.next())
    await button('Continue').click()
    await reads('You have removed the authenticator app.')
  })

  it('is asked for before the account is deleted', async () => {
    const { email } = await newPerson(site.t)
    const { page, look, button, field, dialog, isOutside, reads } = await signedIn(email, phone)

    site.t.clock.advance(11 * minute)
    await page.getByText('Delete the account').first().click()
    await look('phone-delete')
    await button('Delete the account').click()
    await dialog.getByRole('button', { name: 'Delete the account' }).click()
    await field('Your password').waitFor()
    assert.ok(await isWithin(page))
    await look('phone-step-up')
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    assert.ok(await stored(site.t, email))

    await button('Delete the account').click()
    await dialog.getByRole('button', { name: 'Delete the account' }).click()
    await field('Your password').fill(password)
    await button('Continue').click()
    await isOutside()
    await reads('Your account has been deleted.')
    await assert.rejects(stored(site.t, email))
  })

  it('is asked for before an admin changes a role', async () => {
    const [admin, ada] = [await newPerson(site.t, 'admin'), await newPerson(site.t)]
    const { page, field, button, reads } = await signedIn(admin.email)
    const role = page.getByRole('combobox', { name: `Role of ${ada.email}` })

    await page.getByRole('searchbox').fill(ada.email)
    await reads('1 found')
    site.t.clock.advance(11 * minute)
    await role.selectOption('Moderator')
    await button('Cancel').click()
    await until('the role of before', async () => (await role.inputValue()) === 'user')
    await role.selectOption('Moderator')
    await field('Your password').fill(password)
    await button('Continue').click()
    await reads(`${ada.email} is a moderator now.`)
  })
})

describe('an admin on the page of a service with factors', { skip: withoutChromium }, () => {
  const site = accountSite({ settings: withFactors() })

  it('turns off two-step sign-in of somebody who has lost phone and codes', async () => {
    const admin = await newPerson(site.t, 'admin')
    const { person } = await newGuarded(site.t)
    const { page, look, button, dialog, reads } = await site.signedIn(admin.email)

    await page.getByRole('searchbox').fill(person.email)
    await reads('1 found')
    await look('people-with-factors')
    await button(`Two-step off for ${person.email}`).click()
    await look('people-clear-factors')
    await dialog.getByRole('button', { name: 'Turn it off' }).click()
    await reads(`A password is enough for ${person.email} to sign in now.`)
    await site.signedIn(person.email)
  })
})

describe('the page of a service without factors', { skip: withoutChromium }, () => {
  const site = accountSite()

  it('offers none', async () => {
    const { email } = await newPerson(site.t)
    const { page, isOutside, signIn, isHome, security, reads } = await site.open()

    await isOutside()
    assert.equal(await page.getByRole('button', { name: /passkey/ }).count(), 0)
    await signIn(email)
    await isHome()
    await reads('Signed in')
    assert.equal(await security.isVisible(), false)
  })

  it('asks for a new password of which all counts, where only the beginning of the old one does', async () => {
    const { hash } = await import('bcryptjs')
    const long = 'correct horse battery staple '.repeat(4).trim()
    const { email } = await newPerson(site.t)
    const { page, look, signIn, field, button, reads, heading, isHome, isOutside } = await site.open(phone)

    await site.t.db.collection('users').updateOne({ email }, { $set: { password: await hash(long, 4) } })
    await signIn(email, long)
    await heading('Choose a new password').waitFor()
    assert.equal(await focused(page), 'Choose a new password')
    assert.equal(await field('Current password').isVisible(), false)
    await look('phone-new-password')
    await page.reload()
    await heading('Choose a new password').waitFor()
    await page.getByRole('link', { name: 'Sign out instead' }).click()
    await isOutside()

    await signIn(email, long)
    await field('New password').fill('short')
    await button('Set the password').click()
    await reads('Must have 8 to 128 characters.')
    await field('New password').fill('another horse battery')
    await button('Set the password').click()
    await reads('Your new password is set. All other devices are signed out.')
    await isHome()
    assert.match((await stored(site.t, email)).password, /^\$argon2id/)
    await page.reload()
    await isHome()
  })
})
