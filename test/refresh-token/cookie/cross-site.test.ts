import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { browser, inHeader } from '../../support/browser.js'
import { newPerson, type Person } from '../../support/people.js'
import { outcome, password, restClient, type Answer } from '../../support/rest.js'

const listed = 'https://app.example.com'

let t: TestApp
let ada: Person
let own: string

before(async () => {
  t = await startApp({
    settings: { origins: [listed], authentication: { 'refresh-token': { cookie: {} } } }
  })
  ada = await newPerson(t)
  own = t.address
})
after(() => t.stop())

type Headers = Record<string, string>

/** Asks as a page may, with the cookie of a new session if it is to refresh. */
async function ask(use: 'sign-in' | 'refresh', headers: Headers, body?: string): Promise<Answer> {
  const page = browser(own)
  const requests = {
    'sign-in': { strategy: 'local', email: ada.email, password, cookie: true },
    refresh: { strategy: 'refresh-token' }
  }

  if (use === 'refresh') {
    await page.signIn(ada.email)
  }

  const answer = await restClient(own).ask('POST', '/authentication', {
    body: body ?? requests[use],
    headers: { ...headers, ...(use === 'refresh' && { Cookie: inHeader(...page.cookies.values()) }) }
  })

  if (answer.status !== 201) {
    assert.deepEqual(answer.headers.getSetCookie(), [])
    assert.ok(use === 'sign-in' || (await page.refresh()).status === 201, 'the cookie can be used still')
  }

  return answer
}

/** What a request says of where it comes from; OWN stands for the service's own origin. */
const table: [string, Headers, 201 | 403][] = [
  ["the service's own page", { Origin: 'OWN', 'Sec-Fetch-Site': 'same-origin' }, 201],
  ['its own page, in a browser that says no site', { Origin: 'OWN' }, 201],
  ['its own page, in a browser that names no origin', { 'Sec-Fetch-Site': 'same-origin' }, 201],
  ['a page of a listed origin on the same site', { Origin: listed, 'Sec-Fetch-Site': 'same-site' }, 201],
  ['a page of a listed origin on another site', { Origin: listed, 'Sec-Fetch-Site': 'cross-site' }, 201],
  ['a page of a listed origin, in a browser that says no site', { Origin: listed }, 201],
  ['no browser at all', {}, 201],
  ['a page of another site', { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' }, 403],
  ['a page of another site, in a browser that says no site', { Origin: 'https://evil.example' }, 403],
  ['a page of another site that names no origin', { 'Sec-Fetch-Site': 'cross-site' }, 403],
  ['a sibling of the host', { Origin: 'https://evil.moult.example', 'Sec-Fetch-Site': 'same-site' }, 403],
  ['a sibling that names no origin', { 'Sec-Fetch-Site': 'same-site' }, 403],
  ['another port of the host', { Origin: 'http://localhost:1', 'Sec-Fetch-Site': 'same-site' }, 403],
  ['the same host without encryption', { Origin: 'OWN', 'Sec-Fetch-Site': 'cross-site' }, 403],
  ['a sandbox', { Origin: 'null', 'Sec-Fetch-Site': 'cross-site' }, 403],
  ['a sandbox, in a browser that says no site', { Origin: 'null' }, 403],
  ['a reload or a bookmark', { 'Sec-Fetch-Site': 'none' }, 403],
  ['what says two things', { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'same-origin' }, 403],
  ['what says nothing known', { Origin: 'OWN', 'Sec-Fetch-Site': 'moon' }, 403],
  ['a listed origin with more behind it', { Origin: `${listed}.evil.example` }, 403],
  ['a listed origin over HTTP', { Origin: 'http://app.example.com' }, 403],
  ['two origins', { Origin: `${listed}, https://evil.example` }, 403],
  ['a host in an odd place', { Origin: 'http://evil.example/OWN' }, 403],
  [
    'another host that a proxy is said to have been asked for',
    { Origin: 'https://evil.example', 'X-Forwarded-Host': 'evil.example', Forwarded: 'host=evil.example' },
    403
  ]
]

for (const use of ['sign-in', 'refresh'] as const) {
  describe(`a ${use} by cookie`, () => {
    for (const [from, headers, status] of table) {
      it(`from ${from} is a ${status}`, async () => {
        const sent = Object.entries(headers).map(([key, value]) => [
          key,
          value === 'OWN' ? own : value.replace('OWN', new URL(own).host)
        ])
        const answer = await ask(use, Object.fromEntries(sent))

        assert.equal(outcome(answer), String(status))
      })
    }

    const types = [
      'text/plain',
      'text/plain; charset=application/json',
      'text/plain; application/json',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/csp-report',
      'application/jsonp',
      'application/vnd.api+json'
    ]

    for (const type of types) {
      it(`with a body of ${type} is refused`, async () => {
        const answer = await ask(use, { 'Content-Type': type, Origin: own })

        assert.equal(outcome(answer), '400')
      })
    }

    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'Application/JSON;charset=utf-8'
    ]) {
      it(`with a body of ${type} is accepted`, async () => {
        assert.equal((await ask(use, { 'Content-Type': type, Origin: own })).status, 201)
      })
    }
  })
}

describe('the own page', () => {
  const names = [
    ['https://moult.example', 'moult.example'],
    ['https://moult.example:8443', 'moult.example:8443'],
    ['http://192.0.2.1:3030', '192.0.2.1:3030'],
    ['http://[::1]:3030', '[::1]:3030'],
    ['http://moult.example', 'MOULT.example']
  ] as const

  for (const [origin, host] of names) {
    it(`is one at ${origin} when the service was asked as ${host}`, async () => {
      const headers = { Origin: origin, Host: host, 'Sec-Fetch-Site': 'same-origin' }

      assert.equal(await statusAs(own, headers), 201)
    })
  }

  const others = [
    ['https://evil.example', 'moult.example'],
    ['https://evil.example', 'evil.example@moult.example'],
    ['https://moult.example:8443', 'moult.example'],
    ['null', 'null'],
    ['null', ''],
    ['data:', ''],
    ['https://evil.example', 'moult.example, evil.example']
  ] as const

  for (const [origin, host] of others) {
    it(`is none at ${origin} when the service was asked as "${host}"`, async () => {
      assert.equal(await statusAs(own, { Origin: origin, Host: host }), 403)
    })
  }
})

/** Signs in by cookie; `fetch` would not send a `Host` other than the address. */
async function statusAs(address: string, headers: Headers): Promise<number | undefined> {
  const asked = request(`${address}/authentication`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers }
  })

  asked.end(JSON.stringify({ strategy: 'local', email: ada.email, password, cookie: true }))

  const [answer] = (await once(asked, 'response')) as [IncomingMessage]

  answer.resume()
  return answer.statusCode
}

describe('a form of another site', () => {
  it('does not sign anybody in: the answer sets no cookie', async () => {
    const json = JSON.stringify({ strategy: 'local', email: ada.email, password, cookie: true, more: '=' })
    const answer = await ask(
      'sign-in',
      { 'Content-Type': 'text/plain', Origin: 'https://evil.example' },
      json
    )

    assert.equal(answer.status, 400)
  })

  it('is refused with a cookie even if its body says nothing', async () => {
    const page = browser(own)

    await page.signIn(ada.email)

    const answer = await page.ask('POST', '/authentication', {
      body: '',
      headers: { 'Content-Type': 'text/plain' }
    })

    assert.equal(answer.status, 400)
    assert.match(answer.body.message, /application\/json/)
    assert.equal(await statusAs(own, { Cookie: inHeader(...page.cookies.values()), 'Content-Type': '' }), 400)
  })
})

describe('a request that uses no cookie', () => {
  it('is accepted from anywhere: its page had to know the credentials', async () => {
    const headers = { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' }
    const client = restClient(own)
    const login = await client.ask('POST', '/authentication', {
      headers,
      body: { strategy: 'local', email: ada.email, password }
    })
    const { refreshToken } = login.body
    const refresh = await client.ask('POST', '/authentication', {
      headers,
      body: { strategy: 'refresh-token', refreshToken }
    })

    assert.deepEqual([login.status, refresh.status], [201, 201])
    assert.equal(refresh.headers.get('access-control-allow-origin'), null)
  })
})

describe('an app without the setting origins', () => {
  it('accepts cookies from its own pages only', async () => {
    const configure = (app: TestApp['app']) => app.set('origins', undefined as never)

    await withApp(
      { settings: { authentication: { 'refresh-token': { cookie: {} } } }, configure },
      async (other) => {
        const { email } = await newPerson(other)

        assert.equal((await browser(other.address).signIn(email)).status, 201)
        assert.equal((await browser(other.address, listed).signIn(email)).status, 403)
      }
    )
  })
})
