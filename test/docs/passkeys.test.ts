import { build } from 'esbuild'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { withApp, type Settings } from '../support/app.js'
import { addAuthenticator, passkeyPage, startChromium, withoutChromium } from '../support/chromium.js'
import { root, snippet } from '../support/documents.js'
import { factorSecret } from '../support/factors.js'
import { passkeyAccounts, startPasskeyApp } from '../support/passkeys.js'
import { newPerson } from '../support/people.js'
import type { TestApp } from '../support/app.js'

describe('docs/passkeys.md', () => {
  it('shows all it takes', async () => {
    const { authentication } = JSON.parse(snippet('docs/passkeys.md', '"rpId"')) as {
      authentication: Settings
    }
    const settings = { authentication: { ...authentication, factors: { secret: factorSecret } } }

    await withApp({ settings }, async (t) => {
      const accounts = passkeyAccounts(t, 'https://app.example.com')
      const { person, device } = await accounts.owner()
      const { status, body } = await accounts.signIn(device)

      assert.equal(status, 201)
      assert.equal(body.user.email, person.email)
      assert.equal((await accounts.client.refresh(body.refreshToken)).status, 201)
    })
  })
})

describe('docs/passkeys.md, in a page', { skip: withoutChromium }, () => {
  let t: TestApp
  let chromium: Browser
  let page: Page

  before(async () => {
    const configure = await passkeyPage(await script())

    ;[t, chromium] = await Promise.all([startPasskeyApp({ configure }), startChromium()])
    page = await chromium.newPage()
    await page.goto(`${t.address}/passkey.html`)
    await addAuthenticator(page)
  })
  after(async () => {
    await chromium.close()
    await t.stop()
  })

  const inPage = (name: string, ...args: unknown[]) =>
    page.evaluate(([name, args]) => (globalThis as any).example[name](...args), [name, args] as [
      string,
      unknown[]
    ])

  it('shows how to sign up and to sign in', async () => {
    const email = `${randomUUID()}@example.com`

    assert.equal((await inPage('signUp', email)).email, email)

    for (const autofill of [false, true]) {
      assert.equal((await inPage('signIn', autofill)).user.email, email)
    }
  })

  it('shows how to add a passkey', async () => {
    const person = await newPerson(t)

    await inPage('authenticate', person.accessToken)
    assert.equal((await inPage('addPasskey', 'Laptop')).name, 'Laptop')
    assert.equal((await person.ask('GET', '/passkeys')).body[0].name, 'Laptop')
  })
})

/** The page's code, with a Feathers client. */
async function script(): Promise<string> {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import authentication from '@feathersjs/authentication-client'
        import { feathers } from '@feathersjs/feathers'
        import rest from '@feathersjs/rest-client'
        import { RefreshTokenClient } from './src/client/index.js'
        ${snippet('docs/passkeys.md', 'startAuthentication')}
        const app = feathers()
        app.configure(rest.default('').fetch(fetch.bind(globalThis)))
        app.configure(authentication.default({ Authentication: RefreshTokenClient }))
        globalThis.example = {
          authenticate: (accessToken) => app.authenticate({ strategy: 'jwt', accessToken }),
          addPasskey: (name) => addPasskey(app, name),
          signUp: (email) => signUp(app, email),
          signIn: (autofill) => signIn(app, autofill)
        }`,
      loader: 'ts',
      resolveDir: root
    },
    bundle: true,
    write: false,
    format: 'esm',
    logLevel: 'error'
  })

  return outputFiles[0]!.text
}
