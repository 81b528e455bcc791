import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accountSite } from '../support/account-site.js'
import { withoutChromium } from '../support/chromium.js'
import { newPerson } from '../support/people.js'

const sentence = /This browser stores nothing for this page/

// What runs in the page before its own scripts
const faults = {
  'is denied': () => {
    Object.defineProperty(globalThis, 'localStorage', {
      get() {
        throw new DOMException('Access is denied for this document.', 'SecurityError')
      }
    })
  },
  'is full': () => {
    ;(globalThis as any).Storage.prototype.setItem = () => {
      throw new DOMException('The quota has been exceeded.', 'QuotaExceededError')
    }
  },
  'is missing': () => {
    Object.defineProperty(globalThis, 'localStorage', { value: null })
  },
  'is denied, and so are sessionStorage, cookies and databases': () => {
    const deny = {
      get() {
        throw new DOMException('Access is denied for this document.', 'SecurityError')
      }
    }

    for (const name of ['localStorage', 'sessionStorage', 'indexedDB', 'caches']) {
      Object.defineProperty(globalThis, name, deny)
    }

    Object.defineProperty((globalThis as any).document, 'cookie', deny)
  },
  'fails from the third access on': () => {
    const { prototype } = (globalThis as any).Storage
    let accesses = 0

    for (const name of ['getItem', 'setItem', 'removeItem']) {
      const method = prototype[name]

      prototype[name] = function (...data: unknown[]) {
        if (++accesses > 2) {
          throw new DOMException('The operation is insecure.', 'SecurityError')
        }

        return method.apply(this, data)
      }
    }
  }
}

describe(
  'the page with sessionStorage and cookies denied, but not localStorage',
  { skip: withoutChromium },
  () => {
    const site = accountSite()

    it('lets a user sign in, who still is after a reload', async () => {
      const { email } = await newPerson(site.t)
      const { page, isOutside, isHome, signIn } = await site.open()

      await page.waitForLoadState('networkidle')
      await page.addInitScript(() => {
        const deny = {
          get() {
            throw new DOMException('Access is denied for this document.', 'SecurityError')
          }
        }

        Object.defineProperty(globalThis, 'sessionStorage', deny)
        Object.defineProperty((globalThis as any).document, 'cookie', deny)
      })
      await page.reload()
      await isOutside()
      await signIn(email)
      await isHome()
      assert.equal(await page.getByText(sentence).count(), 0)
      await page.reload()
      await isHome()
    })
  }
)

describe('the page in a browser that stores nothing', { skip: withoutChromium }, () => {
  const site = accountSite()

  const openWith = async (prepare: (value?: any) => void, value?: string) => {
    const visitor = await site.open()

    await visitor.page.waitForLoadState('networkidle')
    await visitor.page.addInitScript(prepare, value)
    await visitor.page.reload()
    return visitor
  }

  for (const [what, prepare] of Object.entries(faults)) {
    it(`lets a user sign in, and says once what is lost, when localStorage ${what}`, async () => {
      const { email } = await newPerson(site.t)
      const { page, isOutside, isHome, signIn, reads, button } = await openWith(prepare)

      await isOutside()
      await signIn(email)
      await isHome()
      await reads(sentence)
      assert.equal(await page.getByText(sentence).count(), 1)
      await button('Sign out').click()
      await isOutside()
      await page.reload()
      await isOutside()
    })
  }

  for (const content of [
    '{"id":',
    'null',
    '7',
    '"text"',
    '[]',
    '{}',
    '{"id":7}',
    '{"id":"","name":3}',
    `{"id":"${'x'.repeat(200)}"}`,
    '{"id":"known","name":"","colour":"red"}',
    '{"id":"known","name":{"first":"Ada"}}',
    '{"id":"\\ud800","name":"\\u0000"}',
    '{"id":" ","name":" "}',
    '{"id":"known","__proto__":{"name":7}}'
  ]) {
    it(`lets a user sign in when moult-device is ${content.slice(0, 40)}`, async () => {
      const { email } = await newPerson(site.t)
      const { page, isOutside, isHome, signIn } = await openWith((value) => {
        ;(globalThis as any).localStorage.setItem('moult-device', value)
      }, content)

      await isOutside()
      await signIn(email)
      await isHome()
      assert.equal(await page.getByText(sentence).count(), 0)
    })
  }
})
