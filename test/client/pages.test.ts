import assert from 'node:assert/strict'
import type { Browser, Page } from 'playwright-core'
import { after, afterEach, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { startChromium, tabPage, withoutChromium } from '../support/chromium.js'
import { newPerson, type Person } from '../support/people.js'
import { password } from '../support/rest.js'
import { until } from '../support/until.js'

const minutes = 60_000 // ms
declare const inPage: any // what functions in a page see: tab-page.ts
declare const navigator: any
declare const MessageChannel: any

describe('a page', { skip: withoutChromium }, () => {
  let t: TestApp
  let chromium: Browser

  before(async () => {
    t = await startApp({ configure: await tabPage() })
    chromium = await startChromium({ keepPages: true })
  })
  afterEach(async () => {
    await Promise.all(chromium.contexts().map((context) => context.close()))
  })
  after(async () => {
    await chromium.close()
    await t.stop()
  })

  const signedIn = async (options: object = {}): Promise<{ page: Page; person: Person }> => {
    const person = await newPerson(t)
    const page = await (await chromium.newContext()).newPage()

    await page.goto(`${t.address}/tab.html`)
    await page.evaluate((options) => inPage.start(options), options)
    await page.evaluate(([email, password]) => inPage.signIn(email, password), [
      person.email,
      password
    ] as const)

    return { page, person }
  }
  const call = (page: Page): Promise<unknown> => page.evaluate(() => inPage.call())
  const eventsOf = (page: Page): Promise<string[]> =>
    page.evaluate(() => inPage.events.map(([name]: [string]) => name))

  describe('that comes back from the back/forward cache', () => {
    /** Leaves the page, and comes back: to the page as it was, or to a new one if the browser gave the old one up. */
    const awayAndBack = async (page: Page, meanwhile: () => Promise<unknown>): Promise<void> => {
      await page.goto(`${t.address}/health`)
      await meanwhile()
      await page.goBack({ waitUntil: 'commit' })
      await page.waitForFunction(() => inPage)
    }
    const isKept = (page: Page): Promise<boolean> => page.evaluate(() => inPage.app !== undefined)

    it('renews a token that ran out meanwhile', async () => {
      const { page } = await signedIn()

      await awayAndBack(page, async () => t.clock.advance(20 * minutes))
      assert.ok(await isKept(page))
      await page.evaluate((ms) => inPage.move(ms), 20 * minutes)

      assert.equal(await call(page), 2)
      assert.deepEqual(await eventsOf(page), ['login', 'refreshed'])
    })

    it('hears that its session ended meanwhile', async () => {
      const { page, person } = await signedIn()

      await awayAndBack(page, async () => {
        const { body } = await person.ask('GET', '/sessions')
        const other = body.find(({ current }: any) => !current)

        assert.equal((await person.ask('DELETE', `/sessions/${other.id}`)).status, 200)
      })

      assert.ok(await isKept(page))
      assert.match(String(await call(page)), /NotAuthenticated/)
      await until('the end', async () => (await eventsOf(page)).includes('session-ended'))
    })

    it('has the session of a tab that renewed it meanwhile', async () => {
      const { page } = await signedIn()

      await awayAndBack(page, async () => {
        const tab = await page.context().newPage()

        await tab.goto(`${t.address}/tab.html`)
        await tab.evaluate(() => inPage.start({}))
        await tab.evaluate(() => inPage.resume())
        t.clock.advance(20 * minutes)
        assert.equal(await tab.evaluate((ms) => inPage.expire(ms), 20 * minutes), 2)
        await tab.close()
      })

      // A message to a page in the cache makes the browser give it up
      if (!(await isKept(page))) {
        await page.evaluate(() => inPage.start({}))
        await page.evaluate(() => inPage.resume())
      }

      await page.evaluate((ms) => inPage.move(ms), 20 * minutes)
      assert.equal(await call(page), 2)
      t.clock.advance(20 * minutes)
      assert.equal(await page.evaluate((ms) => inPage.expire(ms), 20 * minutes), 2)
      assert.ok(!(await eventsOf(page)).includes('session-ended'))
    })
  })

  describe('behind a service worker that answers for the service', () => {
    const withWorker = async (page: Page) => {
      await page.evaluate(async () => {
        await navigator.serviceWorker.register('/worker.js')
        await navigator.serviceWorker.ready

        while (!navigator.serviceWorker.controller) {
          await new Promise((resolve) => setTimeout(resolve, 10))
        }
      })

      return (isOffline: boolean) =>
        page.evaluate(async (isOffline) => {
          const { port1, port2 } = new MessageChannel()
          const told = new Promise((resolve) => port1.addEventListener('message', resolve, { once: true }))

          port1.start()

          navigator.serviceWorker.controller.postMessage(isOffline, [port2])
          await told
        }, isOffline)
    }

    it('stays signed in, and goes on when the service answers again', async () => {
      const { page } = await signedIn()
      const setOffline = await withWorker(page)

      await setOffline(true)
      t.clock.advance(20 * minutes)
      assert.match(String(await page.evaluate((ms) => inPage.expire(ms), 20 * minutes)), /Error|Unavailable/)
      assert.deepEqual(await eventsOf(page), ['login'])

      await setOffline(false)
      await page.evaluate(() => inPage.app.authentication.renew().then(() => undefined))
      assert.equal(await call(page), 2)
      assert.deepEqual(await eventsOf(page), ['login', 'refreshed'])
    })

    it('is signed out there, and stays so when the service answers again', async () => {
      const { page } = await signedIn()
      const setOffline = await withWorker(page)

      await setOffline(true)
      await page.evaluate(() => inPage.signOut().catch(() => undefined))
      await setOffline(false)

      assert.match(String(await call(page)), /NotAuthenticated/)
      assert.deepEqual(await eventsOf(page), ['login', 'logout'])
    })
  })
})
