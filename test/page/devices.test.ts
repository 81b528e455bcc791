import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accountPage } from '../support/account-page.js'
import { accountSite } from '../support/account-site.js'
import { withoutChromium } from '../support/chromium.js'
import { newPerson, stored } from '../support/people.js'

const phone = {
  viewport: { width: 390, height: 844 },
  userAgent:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1'
}
const laptop = {
  userAgent: 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Firefox/128.0'
}

describe('the devices on the page', { skip: withoutChromium }, () => {
  const site = accountSite()
  const { guests, open } = site

  /** A laptop and a phone of one person, signed in on the page. */
  const both = async () => {
    const { email } = await newPerson(site.t)
    const [one, other] = await Promise.all([open(laptop), open(phone)])

    // The session that the person began with is none of a browser
    await site.t.db.collection('users').updateOne({ email }, { $set: { sessions: [] } })
    await one.signIn(email)
    await one.isHome()

    return {
      email,
      one,
      other,
      signInOther: async () => {
        await other.signIn(email)
        await other.isHome()
        await one.device('Safari on iPhone').waitFor()
      }
    }
  }

  it('appear and disappear live', async () => {
    const { one, other, signInOther } = await both()

    await one.reads('Only this browser.')
    await signInOther()
    await one.reads('Safari on iPhone has signed in.')
    assert.match(
      await one.device('Firefox on macOS').innerText(),
      /This browser\s+Active now signed in just now/
    )
    assert.match(await one.device('Safari on iPhone').innerText(), /Last seen just now IP/)
    assert.match(await other.device('Firefox on macOS').innerText(), /Last seen just now/)
    assert.equal(await one.page.getByText('Only this browser.').isVisible(), false)
    await one.look('two-devices')
    await other.look('phone-two-devices')

    await other.button('Sign out').click()
    await one.reads('Safari on iPhone has signed out.')
    await one.device('Safari on iPhone').waitFor({ state: 'detached' })
    assert.equal(await one.devices.count(), 1)
  })

  it('are renamed, which the others see; this one keeps its name when it signs in again', async () => {
    const { one, other, email, signInOther } = await both()

    await signInOther()
    await other.button('Rename Safari on iPhone').click()
    await other.page.getByRole('textbox', { name: 'Name of the device' }).fill(' ')
    await other.button('Save').first().click()
    assert.equal(await other.errorOf('Name of the device'), 'Please fill this in.')
    await other.look('phone-rename')
    await other.page.getByRole('textbox', { name: 'Name of the device' }).fill('<b>Pocket</b> & phone')
    await other.button('Save').first().click()
    await one.device('<b>Pocket</b> & phone').waitFor()
    assert.match(await one.device('Pocket').innerText(), /Last seen just now Safari on iPhone/)

    await other.button('Sign out').click()
    await other.isOutside()
    await other.signIn(email)
    await other.isHome()
    await one.device('<b>Pocket</b> & phone').waitFor()
  })

  it('are signed out one by one: the other hears at once that and why', async () => {
    const { one, other, email, signInOther } = await both()

    await signInOther()
    await one.button('Sign out Safari on iPhone').click()
    await other.isOutside()
    await other.reads('This device was signed out from another one of yours.')
    assert.equal(await other.page.locator(':focus').innerText(), 'Sign in')
    await other.look('phone-signed-out-by-another')
    await one.reads('Safari on iPhone was signed out.')
    await one.device('Safari on iPhone').waitFor({ state: 'detached' })
    assert.equal((await stored(site.t, email)).sessions.length, 1)

    await other.page.reload()
    await other.isOutside()
    assert.equal(await one.devices.count(), 1)
  })

  it('are signed out all but this one, once that is confirmed', async () => {
    const { one, other, email, signInOther } = await both()
    const third = await open()

    await signInOther()
    await third.signIn(email)
    await third.isHome()
    await one.reads('Chrome on Linux has signed in.')

    await one.button('Sign out all others').click()
    await one.reads('2 other devices will have to sign in again. This browser stays.')
    await one.look('confirm')
    await one.page.keyboard.press('Escape')
    assert.equal(await one.devices.count(), 3)

    await one.button('Sign out all others').click()
    await one.page.getByRole('dialog').getByRole('button', { name: 'Sign out all others' }).click()
    await Promise.all([other.isOutside(), third.isOutside()])
    await one.reads('Only this browser.')
    assert.equal(await one.devices.count(), 1)
  })

  it('are browsers, not tabs: both have one session, and sign in and out together', async () => {
    const { one, email } = await both()
    const tab = await guests.openTab(one)
    const second = accountPage(tab.page)

    await second.isHome()
    assert.equal((await stored(site.t, email)).sessions.length, 1)
    await second.button('Sign out').click()
    await one.isOutside()
    await one.reads('You have signed out.')
    await one.signIn(email)
    await one.isHome()
    await second.isHome()
    assert.equal((await stored(site.t, email)).sessions.length, 1)
  })

  it('are brought up to date after the connection was lost for a while', async () => {
    const { one, other, email } = await both()

    one.expects(/WebSocket|ERR_/)
    await one.context.setOffline(true)
    site.t.app.io.disconnectSockets(true)
    await one.reads(/^You are offline/)
    await one.look('offline')
    await other.signIn(email)
    await other.isHome()
    await one.context.setOffline(false)
    await one.device('Safari on iPhone').waitFor()
    assert.equal(await one.page.getByText(/^You are offline/).count(), 0)
  })
})
