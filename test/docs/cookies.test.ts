import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Browser } from 'playwright-core'
import { startApp, type TestApp } from '../support/app.js'
import { browser as program, cookiesOf } from '../support/browser.js'
import { startChromium, withoutChromium } from '../support/chromium.js'
import { snippet } from '../support/documents.js'
import { newPerson } from '../support/people.js'
import { password } from '../support/rest.js'

describe('docs/cookies.md', () => {
  const settings = JSON.parse(snippet('docs/cookies.md', '"cookie": {}'))
  let t: TestApp

  before(async () => {
    t = await startApp({ settings })
  })
  after(() => t.stop())

  it('shows settings that put the refresh token of a listed origin into a cookie', async () => {
    const { email } = await newPerson(t)
    const answer = await program(t.address, settings.origins[0]).signIn(email)
    const [{ name, ...cookie }, ...others] = cookiesOf(answer) as [ReturnType<typeof cookiesOf>[0]]

    assert.equal(answer.status, 201)
    assert.deepEqual(others, [])
    assert.equal(name, '__Secure-refresh-token')
    assert.deepEqual(
      [cookie.path, cookie.sameSite, cookie.secure, cookie.httpOnly, cookie.domain],
      ['/authentication', 'strict', true, true, undefined]
    )
    assert.ok(!('refreshToken' in answer.body))
  })

  it('shows how an earlier cookie is recognised and cleared', async () => {
    const { cookie } = JSON.parse(snippet('docs/cookies.md', '"previous"'))
    const changed = await startApp({
      database: t.db.databaseName,
      settings: { authentication: { 'refresh-token': { cookie } } }
    })

    try {
      const { email } = await newPerson(t)
      const [old] = cookiesOf(await program(t.address).signIn(email))
      const answer = await program(changed.address).ask('POST', '/authentication', {
        body: { strategy: 'refresh-token' },
        headers: { Cookie: `${old!.name}=${old!.value}` }
      })

      assert.equal(answer.status, 201)
      assert.deepEqual(
        cookiesOf(answer).map(({ path, maxAge }) => [path, maxAge === 0]),
        [
          ['/authentication', true],
          ['/api/authentication', false]
        ]
      )
    } finally {
      await changed.stop()
    }
  })

  describe('in a browser', { skip: withoutChromium }, () => {
    let browser: Browser

    before(async () => {
      browser = await startChromium()
    })
    after(() => browser.close())

    it('shows how a page signs in and refreshes after a reload', async () => {
      const { email } = await newPerson(t)
      const page = await browser.newPage()
      const code = snippet('docs/cookies.md', 'navigator.locks').replace('https://api.example.com', t.address)
      const runs = (call: string): Promise<any> => page.evaluate(`(() => { ${code}\nreturn ${call} })()`)

      await page.goto(t.address)

      const signedIn = await runs(`signIn('${email}', '${password}')`)

      await page.reload()

      const [first, second] = await runs('Promise.all([refresh(), refresh()])')

      assert.equal(signedIn.session.device.userAgent.includes('Chrome'), true)
      assert.deepEqual([first.session.id, second.session.id], [signedIn.session.id, signedIn.session.id])
      assert.ok(![signedIn, first, second].some((answer) => 'refreshToken' in answer))
      assert.deepEqual(await page.evaluate('[document.cookie, localStorage.attempt]'), ['', undefined])
      await page.context().clearCookies()
      assert.equal((await runs('refresh().catch((error) => error)')).code, 401)
    })
  })
})
