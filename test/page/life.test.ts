import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { accountPage } from '../support/account-page.js'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { startChromium, withoutChromium } from '../support/chromium.js'
import { newPerson } from '../support/people.js'
import { visitors } from '../support/visitors.js'

describe('the access token on the page', { skip: withoutChromium }, () => {
  let t: TestApp
  let browser: Browser

  before(async () => {
    const settings = { authentication: { jwtOptions: { expiresIn: '3s' } } }

    ;[t, browser] = await Promise.all([startApp({ settings }), startChromium()])
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

  it('runs down and is renewed, again and again', async () => {
    const { email } = await newPerson(t)
    const { page, look } = await guests.open()
    const { signIn, isHome, reads, button } = accountPage(page)

    await signIn(email)
    await isHome()

    const timer = page.getByRole('timer')

    await timer.getByText('0:02').waitFor()
    await timer.getByText('0:01').waitFor()
    await reads(/^Renewed ([2-9]|\d\d) times since you opened this page\.$/)

    const tokens = await page.locator('.token, .shed-token').allInnerTexts()

    assert.equal(new Set(tokens.map((text) => /[0-9a-f]{4}/.exec(text)?.[0])).size, tokens.length)
    await look('renewed')
    await button('Sign out').click()
  })

  it('is said to be of the length that it has, and is renewed when one asks for it', async () => {
    await withApp({}, async (other) => {
      const { email } = await newPerson(other)
      const visitor = await guests.open({ baseURL: other.address })
      const { signIn, isHome, reads, button } = accountPage(visitor.page)
      const timer = visitor.page.getByRole('timer').getByText(/^14:5\d$/)

      await signIn(email)
      await isHome()
      await timer.waitFor()

      const token = await visitor.page.locator('.token').innerText()

      await button('Renew now').click()
      await reads('Renewed 1 time since you opened this page.')
      assert.notEqual(await visitor.page.locator('.token').innerText(), token)
      await timer.waitFor()

      await other.db.collection('users').updateOne({ email }, { $set: { sessions: [] } })
      visitor.expects(/401/)
      await button('Renew now').click()
      await accountPage(visitor.page).isOutside()
      await guests.closeAll()
    })
  })
})
