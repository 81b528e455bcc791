import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import type { TestApp } from '../../support/app.js'
import { addAuthenticator, passkeyPage, startChromium, withoutChromium } from '../../support/chromium.js'
import { startPasskeyApp } from '../../support/passkeys.js'
import { newPerson } from '../../support/people.js'
import { outcome, restClient, type Answer } from '../../support/rest.js'

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

  it('sign up without a password', async () => {
    const email = `${randomUUID()}@example.com`

    await addAuthenticator(await open())
    assert.equal((await inPage(page, 'signUp', email)).status, 201)
    assert.equal((await inPage(page, 'signIn')).body.user.email, email)
  })

  it('answer the gate after a password, and step up', async () => {
    const person = await newPerson(t)

    await addAuthenticator(await open())
    await inPage(page, 'add', person.accessToken)

    const { data } = (await restClient(t.address).signIn(person.email)).body

    assert.deepEqual(data.factors, ['recovery-code', 'passkey'])

    const { status, body } = await inPage(page, 'giveFactor', data.challenge)

    assert.equal(status, 201)
    assert.equal(body.session.strategy, 'local')
    assert.equal(body.user.email, person.email)

    t.clock.advance(10 * 60_000 + 1000)

    const { id } = (await inPage(page, 'ask', 'GET', '/passkeys', undefined, body.accessToken)).body[
      0 as never
    ]
    const remove = (token: string) =>
      inPage(page, 'ask', 'DELETE', `/passkeys/${id}`, undefined, token).then(outcome)

    assert.equal(await remove(body.accessToken), '401 step-up')

    const steppedUp = await inPage(page, 'stepUp', body.accessToken)

    assert.equal(steppedUp.status, 201)
    assert.equal(steppedUp.body.session.id, body.session.id)
    assert.equal(await remove(steppedUp.body.accessToken), '200')
  })

  it('without verification of the user answer the gate, and never sign in alone', async () => {
    const person = await newPerson(t)
    // A security key from before there were PINs
    const key = {
      protocol: 'u2f',
      transport: 'usb',
      hasResidentKey: false,
      hasUserVerification: false
    } as const

    await addAuthenticator(await open(), key)
    assert.equal((await inPage(page, 'add', person.accessToken)).status, 201)

    const { data } = (await restClient(t.address).signIn(person.email)).body
    const { status, body } = await inPage(page, 'giveFactor', data.challenge)

    assert.equal(status, 201)
    assert.deepEqual(body.authentication.payload.amr, ['pwd', 'pop', 'mfa'])
  })

  it('are not added twice to one account by one authenticator', async () => {
    const person = await newPerson(t)

    await addAuthenticator(await open())
    await inPage(page, 'add', person.accessToken)

    const { body } = await inPage(page, 'signIn')

    await assert.rejects(inPage(page, 'add', body.accessToken), /previously registered|InvalidStateError/)
  })
})
