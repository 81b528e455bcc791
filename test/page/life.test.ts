import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accountSite } from '../support/account-site.js'
import { withApp } from '../support/app.js'
import { withoutChromium } from '../support/chromium.js'
import { newPerson } from '../support/people.js'

describe('the access token on the page', { skip: withoutChromium }, () => {
  const site = accountSite({ settings: { authentication: { jwtOptions: { expiresIn: '3s' } } } })
  const { guests, signedIn } = site

  it('runs down and is renewed, again and again', async () => {
    const { email } = await newPerson(site.t)
    const { page, look, reads, button } = await signedIn(email)
    const timer = page.getByRole('timer')

    await timer.getByText('0:02').waitFor()
    await timer.getByText('0:01').waitFor()
    await reads(/^Renewed ([2-9]|\d\d) times since you opened this page\.$/)

    const tokens = await page.locator('.token, .shed-token').allInnerTexts()

    assert.equal(new Set(tokens.map((text) => /[0-9a-f]{4}/.exec(text)?.[0])).size, tokens.length)
    await look('renewed')
    await button('Sign out').click()
  })

  it('is shown with its actual length, and is renewed on request', async () => {
    await withApp({}, async (other) => {
      const { email } = await newPerson(other)
      const { page, reads, button, expects, isOutside } = await signedIn(email, { baseURL: other.address })
      const timer = page.getByRole('timer').getByText(/^14:5\d$/)

      await timer.waitFor()

      const token = await page.locator('.token').innerText()

      await button('Renew now').click()
      await reads('Renewed 1 time since you opened this page.')
      assert.notEqual(await page.locator('.token').innerText(), token)
      await timer.waitFor()

      await other.db.collection('users').updateOne({ email }, { $set: { sessions: [] } })
      expects(/401/)
      await button('Renew now').click()
      await isOutside()
      await guests.closeAll()
    })
  })
})
