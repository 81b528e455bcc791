import type { Browser, Page } from 'playwright-core'
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { startChromium, tabPage } from '../support/chromium.js'
import { newPerson } from '../support/people.js'
import { password } from '../support/rest.js'
import { until } from '../support/until.js'

const minutes = 60_000 // ms
declare const inPage: any // what functions in a page see: tab-page.ts

describe('tabs of a browser', () => {
  let t: TestApp
  let chromium: Browser
  let refreshes = 0

  before(async () => {
    t = await startApp({ configure: await tabPage() })
    t.app.service('authentication').hooks({
      before: {
        create: [
          async (context) => void (refreshes += Number((context.data as any).strategy === 'refresh-token'))
        ]
      }
    })
    chromium = await startChromium()
  })
  afterEach(async () => {
    await Promise.all(chromium.contexts().map((context) => context.close()))
  })
  after(async () => {
    await chromium.close()
    await t.stop()
  })

  /** Pages that share a storage, of which the first signs in. */
  const openTabs = async (count: number, options: object = {}) => {
    const context = await chromium.newContext()
    const tabs: Page[] = []
    const { email } = await newPerson(t)

    for (let n = 0; n < count; n++) {
      const tab = await context.newPage()

      await tab.goto(`${t.address}/tab.html`)
      await tab.evaluate((options) => inPage.start(options), options)
      await tab.evaluate(
        ([email, password, isFirst]) =>
          isFirst
            ? inPage.app.authenticate({ strategy: 'local', email, password }).then(() => {})
            : inPage.app.reAuthenticate().then(() => {}),
        [email, password, n === 0] as const
      )
      tabs.push(tab)
    }

    refreshes = 0
    return { tabs, email, context }
  }

  const eventsOf = (tab: Page): Promise<[string, any][]> => tab.evaluate(() => inPage.events)
  const count = async (tab: Page, name: string) => (await eventsOf(tab)).filter(([n]) => n === name).length

  for (const [transport, rounds] of [
    ['rest', 200],
    ['socket', 100]
  ] as const) {
    it(`make one refresh at each of ${rounds} expiries, and stay signed in (${transport})`, async () => {
      const { tabs } = await openTabs(3, { socket: transport === 'socket' })
      const start = Date.now()

      for (let round = 0; round < rounds; round++) {
        t.clock.advance(15 * minutes)

        const answers = await Promise.all(
          tabs.map((tab) => tab.evaluate((ms) => inPage.expire(ms), 15 * minutes))
        )

        assert.deepEqual(
          answers,
          [2, 2, 2].map(() => answers[0]),
          `round ${round}`
        )
        assert.equal(typeof answers[0], 'number', `round ${round}: ${answers}`)
      }

      console.log(transport, rounds, refreshes, Date.now() - start)
      assert.equal(refreshes, rounds)

      for (const tab of tabs) {
        assert.equal((await count(tab, 'session-ended')) + (await count(tab, 'logout')), 0)
      }
    })
  }
})
void until
