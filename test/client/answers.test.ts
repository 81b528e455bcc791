import { MemoryStorage } from '@feathersjs/authentication-client'
import { NotAuthenticated } from '@feathersjs/errors'
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { manualClock, type ManualClock } from '../support/manual-clock.js'
import {
  refreshTransports,
  restRefreshClient,
  sessionItem,
  signedIn,
  type RefreshClient
} from '../support/refresh-clients.js'
import { visitor } from '../support/visitor.js'
import { until } from '../support/until.js'

const minutes = 60_000 // ms

const json = (body: unknown, status = 200, headers = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } })
const html = (status: number) =>
  new Response('<h1>Sign in to the proxy</h1>', { status, headers: { 'Content-Type': 'text/html' } })

/** What proxies, captive portals and service workers answer in the service's place. */
const falseAnswers: [string, () => Response][] = [
  ['200 {}', () => json({})],
  ['200 []', () => json([])],
  ['200 "ok"', () => json('ok')],
  ['200 null', () => json(null)],
  ['200 with a status', () => json({ status: 'maintenance' })],
  ['200 of a service worker', () => json({ error: 'offline' })],
  ['200 with a token that is none', () => json({ accessToken: 7, refreshToken: 'x', session: { id: 'x' } })],
  ['200 with an empty token', () => json({ accessToken: '' })],
  ['201 with a token and nothing else', () => json({ accessToken: 'x' }, 201)],
  [
    '201 with a session, but no word on how',
    () => json({ accessToken: 'x', refreshToken: 'y', session: { id: 'z' } }, 201)
  ],
  ['400 with our name', () => json({ name: 'BadRequest', code: 400, errors: [] }, 400)],
  ['401 {}', () => json({}, 401)],
  ['401 null', () => json(null, 401)],
  ['502 null', () => json(null, 502)],
  ['502 0', () => json(0, 502)],
  ['502 ""', () => json('', 502)],
  ['a page', () => html(200)],
  ['a page with 401', () => html(401)],
  ['401 of a proxy', () => json({ error: 'unauthorized' }, 401)],
  ['401 with a reason of its own', () => json({ code: 401, data: { reason: 'license' } }, 401)],
  ['400 of a proxy', () => json({ error: 'bad request' }, 400)],
  ['a page with 400', () => html(400)],
  ['403 of a firewall', () => json({ name: 'Forbidden', code: 403, message: 'No' }, 403)],
  ['204', () => new Response(null, { status: 204 })]
]

for (const cookie of [false, true]) {
  describe(`answers that are not the service's${cookie ? ', with a cookie' : ''}`, () => {
    let t: TestApp
    let clock: ManualClock
    let browser: ReturnType<typeof visitor>
    let storage: MemoryStorage
    let answer: ((url: string, method: string) => Response | undefined) | undefined
    let asked: string[]
    let one: RefreshClient

    before(async () => {
      t = await startApp({ settings: cookie ? { authentication: { 'refresh-token': { cookie: {} } } } : {} })
    })
    beforeEach(() => {
      clock = manualClock(t.clock)
      browser = visitor()
      storage = new MemoryStorage()
      answer = undefined
      asked = []
      one = open()
    })
    after(() => t.stop())

    const open = () =>
      restRefreshClient(t.address, {
        options: { clock, storage, cookie },
        fetch: async (url, options = {}) => {
          asked.push(`${options.method} ${new URL(String(url)).pathname}`)
          return answer?.(url as string, options.method!) ?? browser.ask(url as string, options)
        }
      })
    const find = () => one.client.service('sessions').find()
    const ended = () => one.heard('session-ended') + one.heard('logout')

    for (const [what, make] of falseAnswers) {
      it(`change nothing: ${what}`, async () => {
        const { login } = await signedIn(t, one)
        const stored = { ...storage.store }

        answer = (url) => (url.endsWith('/authentication') ? make() : undefined)
        clock.advance(15 * minutes)
        await assert.rejects(find())
        await assert.rejects(one.authentication.renew())
        await assert.rejects(one.client.authenticate({ strategy: 'local', email: 'x', password: 'y' }))
        assert.deepEqual(storage.store, stored, 'its token and the key are there')
        assert.equal(ended(), 0)
        assert.equal(one.heard('login'), 1)

        answer = undefined
        assert.equal((await find()).length, 2)
        assert.equal((await one.client.get('authentication')).session.id, login.session.id)

        // Nor at the next start
        answer = (url) => (url.endsWith('/authentication') ? make() : undefined)
        one = open()
        await assert.rejects(one.client.reAuthenticate())
        answer = undefined
        assert.equal((await one.client.reAuthenticate()).session.id, login.session.id)
      })

      it(`make a sign-out be reported later: ${what}`, async () => {
        await signedIn(t, one)
        answer = (_url, method) => (method === 'DELETE' ? make() : undefined)
        await one.client.logout().catch(() => {})
        answer = undefined
        asked = []
        one.authentication.wake()
        await until('the end', () => asked.includes('DELETE /authentication'), 2000)
        assert.equal(one.client.get('authentication'), null)
        assert.equal(ended(), 1)
      })
    }

    it('cost one refresh if another service refuses with our reasons', async () => {
      await signedIn(t, one)
      answer = (url) =>
        url.endsWith('/content')
          ? json({ name: 'NotAuthenticated', code: 401, data: { reason: 'expired' } }, 401)
          : undefined
      asked = []

      for (let round = 0; round < 10; round++) {
        await assert.rejects(one.client.service('content').find(), { code: 401 })
      }

      assert.equal(asked.filter((path) => path === 'POST /authentication').length, 1)
      assert.equal(ended(), 0)
    })

    it('cost no refresh if another service refuses with reasons of its own', async () => {
      await signedIn(t, one)
      answer = (url) =>
        url.endsWith('/content')
          ? json({ name: 'NotAuthenticated', code: 401, data: { reason: 'license' } }, 401)
          : undefined
      asked = []

      for (let round = 0; round < 10; round++) {
        await assert.rejects(one.client.service('content').find(), { data: { reason: 'license' } })
      }

      assert.deepEqual([...new Set(asked)], ['GET /content'])
    })

    it('back off as usual when told to wait for less than no time', async () => {
      await signedIn(t, one)
      answer = (url) =>
        url.endsWith('/authentication') ? json({ code: 429 }, 429, { 'Retry-After': -86_400 }) : undefined
      clock.advance(15 * minutes)
      await assert.rejects(find())
      asked = []

      for (let step = 0; step < 30; step++) {
        clock.advance(100)
        await new Promise((resolve) => setTimeout(resolve, 2))
      }

      assert.ok(asked.length <= 4, `${asked.length} attempts in 3 s`)
      assert.equal(ended(), 0)
    })

    for (const [what, after] of [
      ['a day', 86_400],
      ['the year 33658', 1e12]
    ] as const) {
      it(`wait at most ten minutes when told to wait for ${what}, and not at all if the app asks`, async () => {
        await signedIn(t, one)
        answer = (url) =>
          url.endsWith('/authentication') ? json({ code: 429 }, 429, { 'Retry-After': after }) : undefined
        clock.advance(15 * minutes)
        await assert.rejects(find())
        answer = undefined
        await assert.rejects(find(), 'a call does not ask again')
        await one.authentication.renew()
        assert.equal((await find()).length, 2, 'the user does')

        answer = (url) =>
          url.endsWith('/authentication') ? json({ code: 429 }, 429, { 'Retry-After': after }) : undefined
        clock.advance(15 * minutes)
        await assert.rejects(find())
        answer = undefined
        clock.advance(10 * minutes)
        assert.equal((await find()).length, 2)
      })
    }
  })
}

describe('a session that can never be refreshed', () => {
  let t: TestApp

  before(async () => {
    t = await startApp()
  })
  after(() => t.stop())

  for (const refreshToken of [undefined, 7, null, { $ne: '' }, '', 'rubbish']) {
    it(`ends with a reason, and is not refreshed again: ${JSON.stringify(refreshToken)}`, async () => {
      const clock = manualClock(t.clock)
      const asked: string[] = []
      const one = restRefreshClient(t.address, {
        options: { clock },
        fetch: async (url, options) => {
          asked.push(String(url))
          return fetch(url, options)
        }
      })

      await signedIn(t, one)
      await one.storage.setItem!(
        sessionItem,
        JSON.stringify({ ...JSON.parse(await one.storage.getItem(sessionItem)), refreshToken })
      )
      clock.advance(15 * minutes)
      await assert.rejects(one.client.service('sessions').find(), { code: 401, data: { reason: 'invalid' } })
      assert.deepEqual(one.events.at(-1), ['session-ended', 'invalid'])
      assert.equal(await one.storage.getItem(sessionItem), undefined)
      asked.length = 0

      for (let hour = 0; hour < 24; hour++) {
        clock.advance(60 * minutes)
        await new Promise((resolve) => setImmediate(resolve))
      }

      assert.deepEqual(asked, [])
      assert.equal((await one.client.service('content').get('public')).id, 'public')
      await assert.rejects(one.client.reAuthenticate(), { code: 401 })
    })
  }
})

describe('cookies that the service no longer accepts', () => {
  it('end the session, with a reason', async () => {
    const before = await startApp({ settings: { authentication: { 'refresh-token': { cookie: {} } } } })
    const after = await startApp({ database: before.db.databaseName })
    const clock = manualClock(before.clock)
    const browser = visitor()
    let address = before.address

    try {
      const one = restRefreshClient(before.address, {
        options: { clock, cookie: true },
        fetch: (url, options) => browser.ask(String(url).replace(before.address, address), options)
      })

      await signedIn(before, one)
      address = after.address
      clock.advance(15 * minutes)
      await assert.rejects(one.client.service('sessions').find())
      assert.deepEqual(one.events.at(-1), ['session-ended', 'invalid'])
      await assert.rejects(one.client.reAuthenticate(), { code: 401 })
      assert.equal((await one.client.service('content').get('public')).id, 'public')
    } finally {
      await after.stop()
      await before.stop()
    }
  })
})

for (const [name, connectTo] of Object.entries(refreshTransports)) {
  describe(`a service that answers something else than an authentication, on the ${name}`, () => {
    it('signs nobody in or out', async () => {
      const t = await startApp()
      const clock = manualClock(t.clock)
      const one = connectTo(t.address, { options: { clock } })
      let result: unknown

      t.app.service('authentication').hooks({
        around: {
          create: [
            async (context, next) => {
              await next()
              if (result !== undefined) {
                context.result = result
              }
            }
          ]
        }
      })

      try {
        await signedIn(t, one)

        for (result of [{}, [], { status: 'maintenance' }]) {
          clock.advance(15 * minutes)
          await assert.rejects(one.client.service('sessions').find(), { name: 'Unavailable' })
          await assert.rejects(one.authentication.renew(), { name: 'Unavailable' })
        }

        result = undefined
        assert.equal((await one.client.service('sessions').find()).length, 2)
        assert.deepEqual(
          one.events.map(([name]) => name),
          ['login', 'authenticated', 'refreshed']
        )
      } finally {
        one.close()
        await t.stop()
      }
    })

    it('does not stop the calls of others with a reason of its own', async () => {
      const t = await startApp()
      const one = connectTo(t.address)

      t.app.service('content').hooks({
        before: {
          find: [
            async () => {
              throw new NotAuthenticated('Your license has ended', { reason: 'license' })
            }
          ]
        }
      })

      try {
        await signedIn(t, one)
        await assert.rejects(one.client.service('content').find(), { data: { reason: 'license' } })
        assert.equal(one.heard('refreshed'), 0)
      } finally {
        one.close()
        await t.stop()
      }
    })
  })
}
