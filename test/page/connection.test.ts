import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { accountPage } from '../support/account-page.js'
import { startApp, withApp } from '../support/app.js'
import { startChromium, withoutChromium } from '../support/chromium.js'
import { newPerson } from '../support/people.js'
import { password, restClient } from '../support/rest.js'
import { visitors } from '../support/visitors.js'

describe('the page', { skip: withoutChromium }, () => {
  let browser: Browser

  before(async () => {
    browser = await startChromium()
  })
  after(() => browser.close())

  it('says that the service is gone, and goes on when it is back', async () => {
    const database = `moult-${randomUUID()}`
    const first = await startApp({ database })
    const { email } = await newPerson(first)
    const guests = visitors(
      () => browser,
      () => first.address
    )
    const { page, look, expects } = await guests.open()
    const { signIn, isHome, reads, devices } = accountPage(page)

    expects(/ERR_CONNECTION_REFUSED|WebSocket/)
    await signIn(email)
    await isHome()
    assert.equal(await devices.count(), 2)

    // As at a restart of the service
    const { port } = new URL(first.address)

    await first.stop()
    await reads(/^The connection to the service is lost/)
    await look('connection-lost')

    const second = await startApp({ settings: { port: Number(port) }, database })

    try {
      await page.getByText(/^The connection to the service is lost/).waitFor({ state: 'detached' })
      await restClient(second.address).signIn(email)
      await devices.nth(2).waitFor()
      await page.reload()
      await isHome()
      await guests.closeAll()
    } finally {
      await second.db.dropDatabase()
      await second.stop()
    }
  })

  it('as any other of this origin, never sees a refresh token in a cookie', async () => {
    const settings = { authentication: { 'refresh-token': { cookie: {} } } }

    await withApp({ settings }, async (t) => {
      const { email } = await newPerson(t)
      const guests = visitors(
        () => browser,
        () => t.address
      )
      const { page, context } = await guests.open()
      // eslint-disable-next-line typescript/no-explicit-any -- a test reads what it expects
      const post = (body: object): Promise<{ status: number; body: any }> =>
        page.evaluate(async (body) => {
          const answer = await fetch('/authentication', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(body)
          })

          return { status: answer.status, body: await answer.json() }
        }, body)
      const login = await post({ strategy: 'local', email, password, cookie: true })
      const [cookie] = await context.cookies(`${t.address}/authentication`)

      assert.deepEqual([login.status, login.body.refreshToken], [201, undefined])
      assert.deepEqual([cookie?.httpOnly, cookie?.secure, cookie?.sameSite], [true, true, 'Strict'])
      assert.equal(await page.evaluate(() => (globalThis as any).document.cookie), '')

      const refresh = await post({ strategy: 'refresh-token' })

      assert.deepEqual([refresh.status, refresh.body.refreshToken], [201, undefined])
      assert.notEqual(refresh.body.accessToken, login.body.accessToken)
      await guests.closeAll()
    })
  })
})
