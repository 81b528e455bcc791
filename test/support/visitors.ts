import axe from 'axe-core'
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Browser, BrowserContext, BrowserContextOptions, ConsoleMessage, Page } from 'playwright-core'

const screenshots = resolve(import.meta.dirname, '../screenshots')
const longestWait = 10_000 // ms: for what is to be seen on a busy machine

/** A browser of its own, as far as the page can tell: with a storage, a device and a socket of its own. */
export interface Visitor {
  page: Page
  context: BrowserContext
  /** Complaints of the browser that this test is about: those that match are none. */
  expects(complaint: RegExp): void
  /** Fails if the browser complained: of the policy, of a script, or of an answer. */
  assertContent(): void
  /** Fails if axe finds anything in the page as it is, in light and in dark; takes a picture of each. */
  look(name: string): Promise<void>
}

/** Opens the browsers of a test file, to be closed together. */
export function visitors(browser: () => Browser, address: () => string) {
  const all: Visitor[] = []

  return {
    async open(options: BrowserContextOptions = {}): Promise<Visitor> {
      const context = await browser().newContext({ baseURL: address(), reducedMotion: 'reduce', ...options })

      context.setDefaultTimeout(longestWait)

      const visitor = watch(await context.newPage(), context)

      all.push(visitor)
      await visitor.page.goto('/')
      return visitor
    },
    /** Another tab of that browser. */
    async openTab({ context }: Visitor): Promise<Visitor> {
      const visitor = watch(await context.newPage(), context)

      all.push(visitor)
      await visitor.page.goto('/')
      return visitor
    },
    /** Closes them, and fails if one of them complained. */
    async closeAll(): Promise<void> {
      const closing = all.splice(0)

      await Promise.all([...new Set(closing.map(({ context }) => context))].map((context) => context.close()))
      closing.forEach((visitor) => visitor.assertContent())
    }
  }
}

function watch(page: Page, context: BrowserContext): Visitor {
  const complaints: string[] = []
  const expected: RegExp[] = []
  const note = (complaint: string) =>
    expected.some((form) => form.test(complaint)) || complaints.push(complaint)

  // A violation of the policy is an error of the console, too
  page.on('console', (message: ConsoleMessage) => {
    if (['error', 'warning'].includes(message.type())) {
      note(`${message.type()}: ${message.text()}`)
    }
  })
  page.on('pageerror', (error) => note(`thrown: ${error.message}`))
  page.on('requestfailed', (request) => note(`failed: ${request.url()}`))

  return {
    page,
    context,
    expects: (complaint) => expected.push(complaint),
    assertContent: () => assert.deepEqual(complaints, []),
    async look(name) {
      await picture(page, `${name}-light`)
      assert.deepEqual(await faults(page), [], name)

      // All that is different in the dark are the colours
      await page.emulateMedia({ colorScheme: 'dark' })
      await picture(page, `${name}-dark`)
      assert.deepEqual(await faults(page, ['color-contrast']), [], `${name}, in the dark`)
      await page.emulateMedia({ colorScheme: 'light' })
    }
  }
}

/** For a person to look at. */
async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true })
  const fullPage = !(await page.locator('dialog[open]').count()) // a dialog is in the middle of the window

  await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage })
}

/** What axe finds, by rule and place. */
async function faults(page: Page, rules?: string[]): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) {
    // Evaluated by the debugger, where the policy of the page does not reach
    await page.evaluate(axe.source)
  }

  const { violations } = await page.evaluate(
    (runOnly) =>
      (globalThis as unknown as { axe: typeof axe }).axe.run({
        resultTypes: ['violations'],
        ...(runOnly && { runOnly })
      }),
    rules
  )

  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, any }) => `${id}: ${help} (${target.join(' ')}) ${any[0]?.message ?? ''}`)
  )
}
