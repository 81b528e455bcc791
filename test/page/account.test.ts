import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accountSite } from '../support/account-site.js'
import { withoutChromium } from '../support/chromium.js'
import { newPerson } from '../support/people.js'
import { outcome, password, restClient } from '../support/rest.js'

const newPassword = 'correct horse staple'

describe('the account on the page', { skip: withoutChromium }, () => {
  const site = accountSite()
  const { signedIn } = site

  it('changes its name, and so greets in all browsers', async () => {
    const { email } = await newPerson(site.t)
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
    const { email } = await newPerson(site.t)
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
    assert.equal(outcome(await restClient(site.t.address).signIn(email, { password: newPassword })), '201')
    await one.page.reload()
    await one.isHome()
  })
})
