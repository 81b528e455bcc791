import { after, afterEach, before } from 'node:test'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { accountPage } from './account-page.js'
import { startApp, type TestApp, type TestOptions } from './app.js'
import { startChromium } from './chromium.js'
import { visitors } from './visitors.js'

/**
 * The service and Chromium for the tests of a `describe`, and those who visit the account page in one of them.
 *
 * @param start Starts the service
 */
export function accountSite(options: TestOptions = {}, start = startApp) {
  let t: TestApp
  let browser: Browser

  before(async () => {
    ;[t, browser] = await Promise.all([start(options), startChromium()])
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

  /** The page in a browser of its own. */
  const open = async (context: BrowserContextOptions = {}) => {
    const visitor = await guests.open(context)

    return { ...visitor, ...accountPage(visitor.page) }
  }

  return {
    /** The service, once it has started. */
    get t(): TestApp {
      return t
    },
    guests,
    open,
    /** The page, where somebody has signed in. */
    signedIn: async (email: string, context: BrowserContextOptions = {}) => {
      const visitor = await open(context)

      await visitor.signIn(email)
      await visitor.isHome()
      return visitor
    }
  }
}
