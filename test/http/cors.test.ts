import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { browser } from '../support/browser.js'
import { newPerson } from '../support/people.js'
import { restClient, type Answer } from '../support/rest.js'

const listed = 'https://app.example.com'
const foreign = [
  'https://evil.example',
  'null',
  `${listed}.evil.example`,
  'http://app.example.com',
  'https://app.example.com:8443',
  '*'
]

/** What an answer allows pages of other origins. */
const allowed = ({ headers }: Answer) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control-')))

for (const cookies of [true, false]) {
  describe(`CORS with cookies ${cookies ? 'on' : 'off'}`, () => {
    const credentials = cookies ? { 'access-control-allow-credentials': 'true' } : {}
    let t: TestApp

    const preflight = (origin: string, path = '/authentication') =>
      restClient(t.address).ask('OPTIONS', path, {
        headers: {
          Origin: origin,
          'Access-Control-Request-Method': 'POST',
          'Access-Control-Request-Headers': 'authorization,content-type'
        }
      })

    before(async () => {
      const cookie = cookies ? {} : false

      t = await startApp({ settings: { origins: [listed], authentication: { 'refresh-token': { cookie } } } })
    })
    after(() => t.stop())

    it('lets pages of a listed origin send requests and read the answers', async () => {
      const before = await preflight(listed)
      const answer = await restClient(t.address).ask('GET', '/health', { headers: { Origin: listed } })

      assert.equal(before.status, 204)
      assert.deepEqual(allowed(before), {
        'access-control-allow-origin': listed,
        ...credentials,
        'access-control-allow-methods': 'GET,HEAD,PUT,POST,DELETE,PATCH',
        'access-control-allow-headers': 'authorization,content-type',
        'access-control-max-age': '7200'
      })
      assert.deepEqual(allowed(answer), {
        'access-control-allow-origin': listed,
        ...credentials,
        'access-control-expose-headers': 'Retry-After,X-Request-Id'
      })
    })

    it('lets them read errors too', async () => {
      const headers = { Origin: listed }
      const answers = [
        await restClient(t.address).ask('GET', '/sessions', { headers }),
        await restClient(t.address).ask('GET', '/nowhere', { headers }),
        await restClient(t.address).ask('POST', '/users', { headers, body: '{' })
      ]

      assert.deepEqual(
        answers.map(({ status }) => status),
        [401, 404, 400]
      )
      answers.forEach((answer) => assert.equal(allowed(answer)['access-control-allow-origin'], listed))
    })

    for (const origin of foreign) {
      it(`allows pages of ${origin} nothing`, async () => {
        const answers = [
          await preflight(origin),
          await preflight(origin, '/users'),
          await restClient(t.address).ask('GET', '/health', { headers: { Origin: origin } }),
          await restClient(t.address).ask('GET', '/sessions', { headers: { Origin: origin } })
        ]

        answers.forEach((answer) => assert.deepEqual(allowed(answer), {}))
      })
    }

    it("keeps caches from serving one origin's answer to another", async () => {
      for (const headers of [{}, { Origin: listed }, { Origin: 'https://evil.example' }]) {
        const answer = await restClient(t.address).ask('GET', '/health', {
          headers: headers as Record<string, string>
        })

        assert.match(answer.headers.get('vary')!, /\borigin\b/i)
      }
    })
  })
}

describe('a page of a listed origin', () => {
  it('signs in, refreshes and signs out by cookie', async () => {
    const t = await startApp({
      settings: { origins: [listed], authentication: { 'refresh-token': { cookie: {} } } }
    })

    try {
      const { email } = await newPerson(t)
      const page = browser(t.address, listed)
      const login = await page.signIn(email)
      const refresh = await page.refresh()
      const signOut = await page.signOut(refresh.body.accessToken)

      for (const answer of [login, refresh, signOut]) {
        assert.ok(answer.status < 300)
        assert.equal(answer.headers.get('access-control-allow-credentials'), 'true')
        assert.equal(answer.headers.get('access-control-allow-origin'), listed)
      }

      assert.equal(page.cookies.size, 0)
    } finally {
      await t.stop()
    }
  })
})
