import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Locator, Page } from 'playwright-core'
import { eventTypes } from '../../src/services/events/trail/event.js'
import { accountSite } from '../support/account-site.js'
import { withApp, type TestApp } from '../support/app.js'
import { withoutChromium } from '../support/chromium.js'
import { newPerson, type Person } from '../support/people.js'
import { atOnce, restClient } from '../support/rest.js'
import { written } from '../support/trail.js'

const phone = {
  viewport: { width: 390, height: 844 },
  userAgent:
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1'
}
const firefox = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Firefox/128.0'
const laptop = { userAgent: firefox, timezoneId: 'UTC' }
const wrong = 'wrong horse battery'
const minute = 60_000 // ms
const day = 24 * 60 * minute

describe('the activity on the page', { skip: withoutChromium }, () => {
  const asked: string[] = [] // whose activity, by email
  const site = accountSite({
    configure: (app) =>
      app.service('events').hooks({
        before: { find: [async ({ params }) => void asked.push(params.user!.email)] }
      })
  })

  const activityOf = (page: Page) => {
    const region = page.getByRole('region', { name: 'Recent activity' })

    return {
      region,
      rows: region.getByRole('listitem'),
      row: (what: string) => rowOf(region, what),
      told: () => told(region),
      kind: region.getByRole('combobox', { name: 'Kind of activity' })
    }
  }
  const signedIn = async (email: string, options = {}) => {
    const visitor = await site.signedIn(email, options)

    return { ...visitor, ...activityOf(visitor.page) }
  }

  it('shows a sign-in and a refused one in another browser, newest first', async () => {
    const { email } = await newPerson(site.t)
    const [one, other] = await Promise.all([signedIn(email, laptop), site.open(phone)])

    await other.signIn(email, wrong)
    await other.reads('The email or the password is not right.')
    await other.signIn(email)
    await other.isHome()
    await one.rows.nth(3).waitFor()
    assert.deepEqual(await one.told(), [
      'Signed in New device, Safari on iPhone',
      'Sign-in refused: wrong password, Safari on iPhone',
      'Signed in New device, Firefox on macOS',
      'Signed in, Node.js'
    ])
    await other.look('phone-activity')

    // Nobody hears of it, and Chromium says when one comes back to a tab
    await restClient(site.t.address).signIn(email, { password: wrong })
    await one.page.evaluate(() => (globalThis as any).document.dispatchEvent(new Event('visibilitychange')))
    await one.rows.nth(4).waitFor()
    assert.equal((await one.told())[0], 'Sign-in refused: wrong password, Node.js')
  })

  it('says how each session ended, and who changed the account', async () => {
    const { id, email } = await newPerson(site.t)
    const [one, other] = [await signedIn(email, laptop), await signedIn(email, phone)]

    await one.button('Sign out Safari on iPhone').click()
    await other.isOutside()
    await other.signIn(email)
    await other.isHome()
    await other.button('Sign out').click()
    await one.row('Signed out').waitFor()
    await site.t.app.service('users').patch(id, { roles: ['moderator'] })
    await one.row('Roles changed by the operator: moderator').waitFor()
    assert.deepEqual((await one.told()).slice(0, 5), [
      'Roles changed by the operator: moderator',
      'Signed out, Safari on iPhone',
      'Signed in, Safari on iPhone',
      'Signed out from another device, Safari on iPhone',
      'Signed in New device, Safari on iPhone'
    ])
  })

  it('is shown page by page, and by kind, with the keyboard alone', async () => {
    const person = await newPerson(site.t)
    const changed = new Date(Date.now() - 2.5 * day)

    await addEvents(site.t, person, [
      ...Array.from({ length: 22 }, () => ({})),
      { type: 'password-changed', createdAt: changed },
      { type: 'token-reused', createdAt: changed }
    ])

    const one = await signedIn(person.email, laptop)
    const { page, rows, kind, reads, button } = one

    await one.row('Signed in New device').waitFor()
    await reads('1 of 3')
    assert.equal(await rows.count(), 9, 'a sign-in and its new device are one')
    await one.look('activity')
    await button('Older').focus()
    await page.keyboard.press('Enter')
    await reads('2 of 3')
    assert.equal(await rows.count(), 10)
    await page.keyboard.press('Enter')
    await reads('3 of 3')
    assert.equal(await rows.count(), 7)
    assert.equal(await page.locator(':focus').innerText(), 'Newer', 'who is at the end can go back')
    await page.keyboard.press('Enter')
    await reads('2 of 3')

    await kind.focus()
    await page.keyboard.type('Password')
    await rows.nth(1).waitFor({ state: 'detached' })
    assert.deepEqual(await one.told(), ['Password changed, Firefox on macOS'])

    const time = rows.locator('time')

    assert.equal(await time.innerText(), '2 days ago')
    assert.equal(await time.getAttribute('datetime'), changed.toISOString())
    assert.match(
      (await time.getAttribute('title'))!,
      new RegExp(
        `^[A-Z][a-z]+day, .*${changed.getUTCFullYear()}.*:${changed.toISOString().slice(17, 19)}.[AP]M UTC$`
      )
    )
    assert.equal(await page.getByText('2 of 3').count(), 0)
    await kind.selectOption('Role changes')
    await reads('Nothing of that kind.')
  })

  it('has words for every event, and shows the names of devices as text', async () => {
    const person = await newPerson(site.t)
    const names = ['<img src="x" onerror="ran = true">', '\u202eturned round', 'x'.repeat(100)]
    const ofNames = names.map((name) => ({ device: { name, userAgent: '<b>bold</b>', ip: '192.0.2.1' } }))

    await addEvents(site.t, person, [...ofNames, ...eventTypes.map((type) => ({ type, by: person.id }))])

    const one = await signedIn(person.email, { ...phone, viewport: { width: 320, height: 640 } })

    await one.row('Signed in New device').first().waitFor()

    const all = await one.told()

    for (const name of names) {
      const row = one.rows.filter({ has: one.page.getByText(name, { exact: true }) })

      assert.match(await row.locator('.from').innerText(), /Unknown device · IP 192\.0\.2\.1$/)
    }
    assert.equal(await one.page.evaluate(() => 'ran' in globalThis), false)
    assert.ok(await one.page.evaluate(isWithin), 'nothing is beyond the edge')

    for (const page of ['2 of 3', '3 of 3']) {
      await one.button('Older').click()
      await one.reads(page)
      all.push(...(await one.told()))
    }

    assert.deepEqual(
      all.filter((text) => !/^[A-Z]/.test(text)),
      []
    )
    assert.ok(all.length > eventTypes.length, `${all.length}`)
  })

  it('asks the service at most once a second', async () => {
    const { email, signIn } = await newPerson(site.t)
    const start = Date.now()
    const { rows } = await signedIn(email)

    await atOnce(10, () => signIn())
    await rows.nth(9).waitFor()

    const times = asked.filter((by) => by === email).length

    assert.ok(times <= 2 + (Date.now() - start) / 1000, `${times} times`)
  })

  it('shows admins the activity of others, and users only their own', async () => {
    const [ada, { email }] = await Promise.all([newPerson(site.t), newPerson(site.t, 'admin')])
    const [admin, other] = await Promise.all([signedIn(email), signedIn(ada.email, laptop)])

    await admin.page.getByRole('searchbox').fill(ada.email)
    await admin.reads('1 found')
    await admin.button(`Activity of ${ada.email}`).click()

    const trail = admin.page.getByRole('region', { name: 'People' }).locator('.events')

    await rowOf(trail, 'Signed in New device').waitFor()
    assert.deepEqual(await told(trail), ['Signed in New device, Firefox on macOS', 'Signed in, Node.js'])
    await admin.look('people-activity')
    await admin.page.getByRole('combobox', { name: `Role of ${ada.email}` }).selectOption('Moderator')
    await trail.getByText('Roles changed by an administrator: moderator').waitFor()
    await other.row('Roles changed by an administrator: moderator').waitFor()
    assert.equal(await other.page.getByRole('button', { name: /^Activity of/ }).count(), 0)
    assert.ok(!(await other.told()).some((text) => text.includes('Chrome on Linux')), "no admin's device")

    await admin.button(`Activity of ${ada.email}`).click()
    assert.equal(await trail.isVisible(), false)
  })

  it('says so while the trail can not be read, and continues once it can', async () => {
    const { email } = await newPerson(site.t)

    await written(site.t)

    const broken = { viewOn: 'users', pipeline: [{ $project: { broken: { $divide: [1, 0] } } }] }
    const events = site.t.db.collection('events')
    const kept = await events.find().toArray()

    await events.drop()
    await site.t.db.createCollection('events', broken)

    const one = await signedIn(email)

    await one.region.getByText('Something went wrong in the service. Try again in a moment.').waitFor()
    assert.equal(await one.page.locator('.notice').count(), 0)

    await events.drop()
    await events.insertMany(kept)
    await one.button('Try again').click()
    await one.rows.filter({ hasText: 'Node.js' }).waitFor()
    assert.equal(await one.region.getByText('Something went wrong').count(), 0)
  })

  it('is hidden if the service keeps no trail', async () => {
    await withApp({ settings: { events: false } }, async (t) => {
      const { email } = await newPerson(t, 'admin')
      const one = await signedIn(email, { baseURL: t.address })

      await one.reads('1 account')
      await one.reads('Sign out all others')
      assert.equal(await one.region.count(), 0)
      assert.equal(await one.page.getByRole('button', { name: /^Activity of/ }).count(), 0)
      assert.equal(await one.page.locator('.notice').count(), 0)
      await site.guests.closeAll()
    })
  })
})

/** The rows: what is told, and by which device. */
async function told(list: Locator): Promise<string[]> {
  const texts = await list
    .getByRole('listitem')
    .evaluateAll((rows: any[]) =>
      rows.map((row) =>
        ['.what', '.from'].map((part) => row.querySelector(part).innerText.replace(/\s+/g, ' ').trim())
      )
    )

  return texts.map(([what, from]) => [what, from!.replace(/ · IP .*/, '')].filter(Boolean).join(', '))
}

const rowOf = (list: Locator, what: string): Locator =>
  list.getByRole('listitem').filter({ has: list.page().locator('.what').getByText(what, { exact: true }) })

/** Changes of the email a minute apart, the newest first, except for what is said otherwise. */
async function addEvents(t: TestApp, { id }: Person, events: object[]): Promise<void> {
  await written(t)
  await t.db.collection('events').insertMany(
    events.map((event, index) => ({
      type: 'email-changed',
      userId: id,
      by: id,
      device: { userAgent: firefox, ip: '192.0.2.1' },
      createdAt: new Date(t.clock.now - (index + 1) * minute),
      ...event
    }))
  )
}

function isWithin(): boolean {
  const { scrollWidth, clientWidth } = (globalThis as any).document.documentElement

  return scrollWidth <= clientWidth
}
