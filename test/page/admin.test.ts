import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { accountSite } from '../support/account-site.js'
import { withoutChromium } from '../support/chromium.js'
import { newPerson, stored } from '../support/people.js'
import { restClient } from '../support/rest.js'

describe('an admin on the page', { skip: withoutChromium }, () => {
  const site = accountSite()
  let adminEmail: string

  before(async () => {
    adminEmail = (await newPerson(site.t, 'admin')).email

    const { signUp } = restClient(site.t.address)

    for (const name of ['Ada', 'Alan', 'Barbara', 'Tim', 'Edsger', 'Frances', 'Grace', 'Radia', 'Tony']) {
      await signUp({ name, email: `${name.toLowerCase()}@example.com` })
    }
  })

  const signedIn = async (email: string, options = {}) => {
    const visitor = await site.signedIn(email, options)
    const people = visitor.page.getByRole('region', { name: 'People' })

    return {
      ...visitor,
      people,
      names: () => people.getByRole('heading', { level: 3 }).allInnerTexts(),
      search: visitor.page.getByRole('searchbox'),
      person: (name: string) =>
        people.getByRole('listitem').filter({ has: visitor.page.getByRole('heading', { name }) })
    }
  }

  it('sees all people, page by page, and finds them by prefix', async () => {
    const { page, look, reads, names, search, button, person } = await signedIn(adminEmail)

    await reads('10 accounts')
    await person('Tony').waitFor()
    assert.equal((await names()).length, 8)
    await look('people')
    await button('Next').click()
    await reads('2 of 2')
    assert.equal((await names()).length, 2)

    await search.fill('t')
    await reads('2 found')
    assert.deepEqual(
      (await names()).map((name) => name.trim()),
      ['Tony', 'Tim']
    )
    await search.fill('GRACE@')
    await reads('1 found')
    await person('Grace').waitFor()
    await search.fill('nobody has this')
    await reads("Nobody's name or email begins like that.")
    await look('people-none')
    assert.equal(await page.getByText('1 of 2').isVisible(), false)
  })

  it('sees new people appear', async () => {
    const { person } = await signedIn(adminEmail)

    await restClient(site.t.address).signUp({ name: 'Newcomer' })
    await person('Newcomer').waitFor()
  })

  it('sets a role, which the other page shows at once', async () => {
    const [admin, other] = await Promise.all([signedIn(adminEmail), signedIn('grace@example.com')])

    assert.equal(await other.people.isVisible(), false)
    await admin.search.fill('Grace')
    await admin.person('Grace').getByRole('combobox').selectOption('Admin')
    await admin.reads('Grace is an admin now.')
    await other.people.waitFor()
    await other.person('Tony').waitFor()
    assert.deepEqual((await stored(site.t, 'grace@example.com')).roles, ['admin'])

    await admin.person('Grace').getByRole('combobox').selectOption('User')
    await other.people.waitFor({ state: 'hidden' })
  })

  it("sees somebody's devices and signs one out, who hears that and why", async () => {
    const [admin, other] = await Promise.all([
      signedIn(adminEmail, { viewport: { width: 390, height: 844 } }),
      signedIn('alan@example.com')
    ])

    await admin.search.fill('Alan')
    await admin.button('Devices of Alan').click()
    await admin.person('Alan').getByRole('heading', { name: 'Chrome on Linux' }).waitFor()
    await admin.look('phone-people-devices')
    await admin.person('Alan').getByRole('button', { name: 'Sign out Chrome on Linux' }).click()
    await other.isOutside()
    await other.reads('An administrator has signed this device out.')
    await admin.button('Devices of Alan').click()
    await admin.button('Devices of Alan').click()
    await admin.reads('Signed in nowhere.')
  })

  it('disables an account: it is signed out, and stays out until it is enabled', async () => {
    const [admin, other] = await Promise.all([signedIn(adminEmail), signedIn('tony@example.com')])

    await admin.search.fill('Tony')
    await admin.button('Disable Tony').click()
    await admin.page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click()
    await admin.reads('Tony is disabled now.')
    await other.reads('Your account is disabled. An administrator can enable it again.')
    await other.signIn('tony@example.com')
    await other.page.getByRole('alert').filter({ hasText: 'Your account is disabled.' }).last().waitFor()

    await admin.button('Enable Tony').click()
    await admin.reads('Tony is enabled now.')
    await other.signIn('tony@example.com')
    await other.isHome()
  })

  it('can not lock themselves out by mistake', async () => {
    const { page, person, search, reads } = await signedIn(adminEmail)

    await search.fill(adminEmail)
    await reads('1 found')
    await person(adminEmail).getByText('You', { exact: true }).waitFor()
    assert.equal(await person(adminEmail).getByRole('combobox').isDisabled(), true)
    assert.equal(await page.getByRole('button', { name: /^Disable/ }).count(), 0)
  })
})
