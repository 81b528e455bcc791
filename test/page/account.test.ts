import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { accountPage } from '../support/account-page.js'
import { startApp, type TestApp } from '../support/app.js'
import { startChromium, withoutChromium } from '../support/chromium.js'
import { newPerson } from '../support/people.js'
import { outcome, password, restClient } from '../support/rest.js'
import { visitors } from '../support/visitors.js'

const newPassword = 'correct horse staple'

describe('the account on the page', { skip: withoutChromium }, () => {
  let t: TestApp
  let browser: Browser

  before(async () => {
    ;[t, browser] = await Promise.all([startApp(), startChromium()])
  })
  after(async () => {
    await browser.close()
    await t.stop()
  })

  const guests = visitors(
    () => browser,
    () => t.address
  )
  afterEach(() => guests.closeAll())

  const signedIn = async (email: string) => {
    const visitor = await guests.open()
    const page = accountPage(visitor.page)

    await page.signIn(email)
    await page.isHome()
    return { ...visitor, ...page }
  }

  it('changes its name, and so greets in all browsers', async () => {
    const { email } = await newPerson(t)
    const [one, other] = await Promise.all([signedIn(email), signedIn(email)])

    await one.field('Name').fill('Ada <script>')
    await one.button('Save').click()
    await one.reads('Your name is saved.')
    await one.heading('Hello, Ada <script>.').waitFor()
    await other.heading('Hello, Ada <script>.').waitFor()
    await one.field('Name').fill(' ')
    await one.button('Save').click()
    assert.equal(await one.errorOf('Name'), 'Please fill this in.')
  })

  it('changes its password, which signs all other browsers out', async () => {
    const { email } = await newPerson(t)
    const [one, other] = await Promise.all([signedIn(email), signedIn(email)])
    const change = async (current: string, next: string) => {
      await one.field('Current password').fill(current)
      await one.field('New password').fill(next)
      await one.button('Change the password').click()
    }

    await one.page.getByText('Change the password').first().click()
    await change('wrong horse battery', newPassword)
    await one.reads('The current password is not right.')
    await change(password, 'short')
    assert.equal(await one.errorOf('New password'), 'Must have 8 to 128 characters.')
    await one.look('change-password')

    await change(password, newPassword)
    await one.reads('Your password is changed. All other devices are signed out.')
    await other.isOutside()
    await other.reads('Your password was changed on another device. That signs out all the others.')
    assert.equal(await one.field('New password').isVisible(), false)
    assert.equal(outcome(await restClient(t.address).signIn(email, { password: newPassword })), '201')
    await one.page.reload()
    await one.isHome()
  })
})
