import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { TestApp } from '../../support/app.js'
import { addAuthenticator, passkeyPage, startChromium, withoutChromium } from '../../support/chromium.js'
import { startPasskeyApp } from '../../support/passkeys.js'
import { newPerson } from '../../support/people.js'
import { type Answer } from '../../support/rest.js'

/** What `passkey-page.ts` does, called from here. */
const inPage = (page: Page, name: string, ...args: unknown[]): Promise<Answer> =>
  page.evaluate(([name, args]) => (globalThis as any).inPage[name](...args), [name, args] as [string, any[]])

describe('passkeys in Chromium', { skip: withoutChromium }, () => {
  let t: TestApp
  let chromium: Browser
  let page: Page

  before(async () => {
    const configure = await passkeyPage()

    ;[t, chromium] = await Promise.all([startPasskeyApp({ configure }), startChromium()])
  })
  after(async () => {
    await chromium.close()
    await t.stop()
  })
  afterEach(() => page.context().close())

  async function open(origin = t.address): Promise<Page> {
    page = await (await chromium.newContext()).newPage()
    await page.goto(`${origin}/passkey.html`)
    return page
  }

  it('are added, and sign in without a name or a password', async () => {
    const person = await newPerson(t)
    const authenticator = await addAuthenticator(await open())
    const { status, body } = await inPage(page, 'add', person.accessToken, 'Laptop')

    assert.equal(status, 201)
    assert.equal(body.name, 'Laptop')

    const [credential] = await authenticator.credentials()

    assert.equal(credential!.isResidentCredential, true)
    assert.equal(credential!.rpId, 'localhost')

    const signedIn = await inPage(page, 'signIn')

    assert.equal(signedIn.status, 201)
    assert.equal(signedIn.body.user.email, person.email)
    assert.equal(signedIn.body.session.strategy, 'passkey')
  })

  it('sign in from the autofill of a form', async () => {
    const person = await newPerson(t)

    await addAuthenticator(await open())
    await inPage(page, 'add', person.accessToken)

    const { status, body } = await inPage(page, 'signIn', { autofill: true })

    assert.equal(status, 201)
    assert.equal(body.user.email, person.email)
  })

  it('are not added twice to one account by one authenticator', async () => {
    const person = await newPerson(t)

    await addAuthenticator(await open())
    await inPage(page, 'add', person.accessToken)
    await assert.rejects(inPage(page, 'add', person.accessToken), /previously registered|InvalidStateError/)
  })
})
