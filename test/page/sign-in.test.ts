import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { accountPage } from '../support/account-page.js'
import { accountSite } from '../support/account-site.js'
import { withApp } from '../support/app.js'
import { withoutChromium } from '../support/chromium.js'
import { newPerson, stored } from '../support/people.js'
import { password } from '../support/rest.js'

const newEmail = () => `${randomUUID()}@example.com`

describe('signing in on the page', { skip: withoutChromium }, () => {
  const site = accountSite()
  const { guests, open } = site

  it('takes a new user from an empty form to their devices', async () => {
    const { page, look, signUp, isHome, heading, devices, field, button } = await open()
    const email = newEmail()

    await heading('Sign in').waitFor()
    await look('sign-in')
    await page.getByRole('link', { name: 'Create an account' }).click()
    await heading('Create an account').waitFor()
    await look('sign-up')
    await page.getByRole('link', { name: 'Sign in' }).click()
    await signUp(email, { name: 'Ada' })
    await isHome()
    await heading('Hello, Ada.').waitFor()

    assert.match(await devices.first().innerText(), /on Linux\s+This browser\s+Active now/)
    assert.match(await devices.first().innerText(), /IP (127\.0\.0\.1|::1)/)
    assert.equal((await stored(site.t, email)).sessions.length, 1)
    assert.equal(page.url(), `${site.t.address}/`)
    assert.equal(await page.title(), 'Your devices · Moult')
    assert.equal(await field('Name').inputValue(), 'Ada')
    assert.equal(await button('Sign out all others').count(), 0)
    await look('home')
  })

  it('says beside each field what is wrong with it, and focuses the first', async () => {
    const { page, look, signUp, errorOf, field, button } = await open()
    const taken = await newPerson(site.t)

    await signUp('ada', { password: 'short' })
    assert.equal(await errorOf('Email'), 'That is not a complete email address.')
    assert.equal(await errorOf('Password'), 'Must have 8 to 128 characters.')
    assert.equal(
      await field('Email').evaluate((input: any) => input.ownerDocument.activeElement === input),
      true
    )
    await look('sign-up-errors')

    await field('Email').fill(taken.email)
    await field('Password').fill('password1')
    assert.equal(await page.locator('[aria-invalid=true]').count(), 0)
    await button('Create the account').click()
    assert.equal(await errorOf('Password'), 'Must not be one of the most common.')

    await field('Password').fill(password)
    await button('Create the account').click()
    assert.equal(await errorOf('Email'), 'There is an account with this email already.')

    await field('Email').fill('')
    await button('Create the account').click()
    assert.equal(await errorOf('Email'), 'Please fill this in.')
  })

  it('says no more of a wrong password than of an unknown email', async () => {
    const { look, signIn, reads, isHome, field } = await open()
    const { email } = await newPerson(site.t)

    for (const wrong of [email, newEmail()]) {
      await signIn(wrong, 'wrong horse battery')
      await reads('The email or the password is not right.')
      await field('Password').and(field('Password').page().locator(':focus')).waitFor()
    }

    await look('sign-in-refused')
    await signIn(email)
    await isHome()
  })

  it('is done with the keyboard alone', async () => {
    const { page, isOutside, isHome, reads } = await open()
    const { email } = await newPerson(site.t)
    const press = async (...keys: string[]) => {
      for (const key of keys) {
        await page.keyboard.press(key)
      }
    }
    const focused = () =>
      page.evaluate(() => (globalThis as any).document.activeElement.textContent.replace(/\s+/g, ' ').trim())

    await isOutside()
    await press('Tab')
    assert.equal(await focused(), 'Skip to the content')
    await press('Enter')
    await page.waitForFunction(() => (globalThis as any).document.activeElement.matches('h2'))
    await press('Tab')
    await page.keyboard.type(email)
    await press('Tab')
    await page.keyboard.type(password)
    await press('Tab')
    assert.equal(await focused(), 'Show the password')
    await press('Tab')
    assert.equal(await focused(), 'Sign in')
    await press('Enter')
    await isHome()
    assert.match(await focused(), /^Hello/, 'it goes on from the heading')

    await page.getByRole('button', { name: 'Sign out all others' }).waitFor()
    await press('Tab')
    assert.equal(await focused(), 'Sign out all others')
    await press('Tab')
    assert.equal(await focused(), 'Rename')
    await press('Enter')
    await page.keyboard.type('Keyboard')
    await press('Enter')
    await reads('Keyboard')
    assert.equal(await focused(), 'Rename')
    await press('Enter', 'Escape')
    assert.equal(await focused(), 'Rename')
  })

  it('is made for password managers', async () => {
    const { page, field, isOutside, signUp } = await open()
    const completes = (name: string) => field(name).getAttribute('autocomplete')

    await isOutside()
    assert.deepEqual(
      [await completes('Email'), await completes('Password')],
      ['username webauthn', 'current-password']
    )
    await page.goto('/#sign-up')
    assert.deepEqual(
      [await completes('Name optional'), await completes('Email'), await completes('Password')],
      ['name', 'username', 'new-password']
    )
    await page.goto('/#sign-in')
    await signUp(newEmail())
    await page.getByText('Change the password').first().click()
    assert.deepEqual(
      [await completes('Current password'), await completes('New password')],
      ['current-password', 'new-password']
    )
  })

  it('shows a password on demand', async () => {
    const { field, button } = await open()

    await field('Password').fill('what I typed')
    assert.equal(await field('Password').getAttribute('type'), 'password')
    await button('Show the password').click()
    assert.equal(await field('Password').getAttribute('type'), 'text')
    await button('Hide the password').click()
    assert.equal(await field('Password').getAttribute('type'), 'password')
  })

  it('survives a reload, and ends by signing out; signing in again is not a new device', async () => {
    const { page, look, signIn, isHome, isOutside, reads, button } = await open()
    const { email } = await newPerson(site.t)

    await signIn(email)
    await isHome()

    const [, first] = (await stored(site.t, email)).sessions

    await page.reload()
    await isHome()
    assert.equal((await stored(site.t, email)).sessions[1].id, first.id)

    await button('Sign out').click()
    await isOutside()
    await reads('You have signed out.')
    await look('signed-out')
    await page.reload()
    await isOutside()
    assert.equal((await stored(site.t, email)).sessions.length, 1)

    await signIn(email)
    await isHome()

    const [, second] = (await stored(site.t, email)).sessions

    assert.equal(second.device.id, first.device.id)
  })

  it('keeps no token where it is not needed, and shows none', async () => {
    const { page, signIn, isHome } = await open()
    const { email } = await newPerson(site.t)

    await signIn(email)
    await isHome()

    const kept = await page.evaluate(() => JSON.stringify((globalThis as any).localStorage))

    assert.equal(kept.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g)?.length, 1, 'the refresh token')
    assert.doesNotMatch(await page.content(), /eyJ[\w-]+\./)
    assert.equal(new URL(page.url()).search, '')
  })

  it('runs and shows nothing that was injected from elsewhere', async () => {
    const { page, expects, isOutside } = await open()
    const violations = ['script-src', 'style-src', 'img-src', 'connect-src', 'form-action']

    await isOutside()
    expects(/Content Security Policy/i)
    expects(/evil\.example/)

    const seen = await page.evaluate(async () => {
      const { document, setTimeout } = globalThis as any
      const seen: string[] = []

      document.addEventListener('securitypolicyviolation', (event: any) =>
        seen.push(event.effectiveDirective)
      )
      document.body.insertAdjacentHTML(
        'beforeend',
        `<p style="color: red" onclick="ran = true">Click</p><img src="https://evil.example/pixel" onerror="ran = true">
        <form action="https://evil.example/"><button>Send</button></form>`
      )
      document.querySelector('p[onclick]').click()
      document.body.append(Object.assign(document.createElement('script'), { textContent: 'ran = true' }))
      await fetch('https://evil.example/').catch(() => {})
      document.querySelector('form[action]').submit()
      await new Promise((resolve) => setTimeout(resolve, 200))
      return seen
    })

    for (const directive of violations) {
      assert.ok(
        seen.some((name) => name.startsWith(directive)),
        `${directive}: ${seen.join(', ')}`
      )
    }
    assert.equal(await page.evaluate(() => 'ran' in globalThis), false)
  })

  it('works on a phone as well', async () => {
    const { page, look, signIn, isHome, isOutside } = await open({ viewport: { width: 390, height: 844 } })
    const { email } = await newPerson(site.t)
    const isWithin = () =>
      page.evaluate(() => {
        const { scrollWidth, clientWidth } = (globalThis as any).document.documentElement

        return scrollWidth <= clientWidth
      })

    await isOutside()
    assert.ok(await isWithin(), 'nothing is beyond the edge')
    await look('phone-sign-in')
    await signIn(email)
    await isHome()
    assert.ok(await isWithin(), 'nothing is beyond the edge')
    await look('phone-home')
  })

  it('says how long to wait after too many attempts', async () => {
    const settings = {
      rateLimit: {
        signIn: { account: { limit: 2, per: '2m' }, address: false },
        signUp: false,
        refresh: false
      }
    }

    await withApp({ settings }, async (limited) => {
      const { email } = await newPerson(limited)
      const visitor = await guests.open({ baseURL: limited.address })
      const { signIn, reads } = accountPage(visitor.page)

      for (const sentence of [
        /is not right/,
        /is not right/,
        /^Too many attempts\. Try again in 2 minutes\.$/
      ]) {
        await signIn(email, 'wrong horse battery')
        await reads(sentence)
      }

      await visitor.look('too-many-attempts')
      await guests.closeAll()
    })
  })

  it('says so while the database is away', async () => {
    const settings = { mongodb: 'mongodb://127.0.0.1:1/nowhere' }

    await withApp({ settings, database: 'nowhere' }, async (broken) => {
      const { page } = await guests.open({ baseURL: broken.address })
      const { signIn, reads } = accountPage(page)

      await signIn(newEmail())
      await reads('The service is not available right now. Try again in a moment.')
      await guests.closeAll()
    })
  })
})
