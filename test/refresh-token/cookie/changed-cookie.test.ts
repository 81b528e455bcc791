import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { cookiesOf } from '../../support/browser.js'
import { CookieJar } from '../../support/cookie-jar.js'
import { newPerson } from '../../support/people.js'
import { outcome, password, restClient, type Answer } from '../../support/rest.js'

const name = '__Secure-refresh-token'
const other = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.broken'

const start = (cookie: object, more = {}) =>
  startApp({ ...more, settings: { authentication: { 'refresh-token': { cookie } } } })

const authenticate = (t: TestApp, body: object, cookie?: string): Promise<Answer> =>
  restClient(t.address).ask('POST', '/authentication', { body, headers: cookie ? { cookie } : {} })

const refresh = (t: TestApp, cookie: string, more = {}) =>
  authenticate(t, { strategy: 'refresh-token', ...more }, cookie)

/** What an answer tells the browser: `['name', 'path', 'domain', 'set']`. */
const told = (answer: Answer) =>
  cookiesOf(answer).map(({ name, path, domain, value }) => [name, path, domain, value ? 'set' : 'cleared'])

/** Three tokens of one session, of which the first was used, and so was the second. */
async function threeTokens(t: TestApp): Promise<[string, string, string]> {
  const { refreshToken } = await newPerson(t)
  const client = restClient(t.address)

  t.clock.advance(2000)
  const second = (await client.refresh(refreshToken)).body.refreshToken
  t.clock.advance(2000)
  const third = (await client.refresh(second)).body.refreshToken

  return [refreshToken, second, third]
}

describe('several cookies of one name', () => {
  let t: TestApp

  before(async () => {
    t = await start({})
  })
  after(() => t.stop())

  for (const [what, header] of [
    ['the newest first', ([a, b, c]: string[]) => [c, b, a]],
    ['the newest last', ([a, b, c]: string[]) => [a, b, c]],
    ['a broken one before it', ([, , c]: string[]) => ['rubbish', other, c]],
    ['a broken one after it', ([, , c]: string[]) => [c, other, '%', '']],
    ['an empty one before it', ([, , c]: string[]) => ['', c]],
    ['one of another kind before it', ([, , c]: string[]) => [c!.replace(/\.[^.]+$/, '.x'), c]]
  ] as const) {
    it(`count as the newest genuine one: ${what}`, async () => {
      const tokens = await threeTokens(t)
      const answer = await refresh(
        t,
        header(tokens)
          .map((value) => `${name}=${value}`)
          .join('; ')
      )

      assert.equal(outcome(answer), '201')
      assert.deepEqual(told(answer), [
        // With a foreign one beside it, another service of the host may have set a cookie of a shorter path
        ...(what.startsWith('the newest')
          ? ['/', '/authentication/'].map((path) => [name, path, undefined, 'cleared'])
          : []),
        [name, '/authentication', undefined, 'set']
      ])
    })
  }

  it('of the same second are distinguished by which one is the successor', async () => {
    for (const reverse of [false, true]) {
      const { refreshToken } = await newPerson(t)
      const next = (await restClient(t.address).refresh(refreshToken)).body.refreshToken
      const values = [refreshToken, next]

      // Used, so that the first would be a reuse
      t.clock.advance(0)
      const answer = await refresh(
        t,
        (reverse ? values.toReversed() : values).map((value) => `${name}=${value}`).join('; ')
      )

      assert.equal(outcome(answer), '201')
      assert.equal(
        outcome(await restClient(t.address).refresh(next, { idempotencyKey: 'x' })),
        '201',
        'repeated'
      )
    }
  })

  it('are refused, and cleared, if none is genuine', async () => {
    const answer = await refresh(t, `${name}=${other}; ${name}=rubbish`)

    assert.equal(outcome(answer), '401 invalid')
    assert.deepEqual(told(answer), [[name, '/authentication', undefined, 'cleared']])
  })
})

for (const [earlier, now] of [
  [{ path: '/' }, {}],
  [{ path: '/api' }, { path: '/api/authentication' }],
  [{ path: '/api/' }, { path: '/api/authentication' }],
  [{ path: '/' }, { path: '/api/v1/authentication' }],
  [{ path: '/api/authentication' }, { path: '/api' }],
  [{}, { path: '/' }],
  [{}, { domain: 'example.com' }],
  [{ path: '/' }, { domain: 'example.com' }],
  [{ domain: 'example.com', path: '/' }, { domain: 'example.com' }]
] as { path?: string; domain?: string }[][]) {
  describe(`a cookie that was ${JSON.stringify(earlier)}, is ${JSON.stringify(now)}, and whose change isn't listed`, () => {
    let old: TestApp
    let t: TestApp

    before(async () => {
      old = await start(earlier!)
      t = await start(now!, { database: old.db.databaseName })
    })
    after(async () => {
      await t.stop()
      await old.stop()
    })

    const seen = [earlier!, now!]
      .map(({ path = '/authentication' }) => (path.endsWith('/authentication') ? path : ''))
      .find((path) => path.startsWith('/api')) // what a browser asks, of a proxy
    const path = seen ?? '/authentication'

    const visit = (jar: CookieJar) => {
      const ask = async (t: TestApp, method: string, body?: object, token?: string) => {
        const cookie = jar.header(path)
        const answer = await restClient(t.address).ask(method, '/authentication', {
          body,
          token,
          headers: cookie ? { cookie } : {}
        })

        jar.take(answer)
        return answer
      }

      return {
        signIn: (t: TestApp, email: string) =>
          ask(t, 'POST', { strategy: 'local', email, password, cookie: true }),
        refresh: (t: TestApp) => ask(t, 'POST', { strategy: 'refresh-token' }),
        signOut: (t: TestApp, token: string) => ask(t, 'DELETE', undefined, token)
      }
    }

    it('does not come back after a sign-out', async () => {
      for (const refreshes of [0, 1, 2]) {
        const { email } = await newPerson(old)
        const jar = new CookieJar('app.example.com')
        const page = visit(jar)

        await page.signIn(old, email)
        t.clock.advance(2000)

        let { body } = await page.signIn(t, email)

        assert.equal(jar.cookies.size, 2)

        for (let round = 0; round < refreshes; round++) {
          t.clock.advance(2000)
          ;({ body } = await page.refresh(t))
          assert.equal(jar.cookies.size, 1)
        }

        assert.equal((await page.signOut(t, body.accessToken)).status, 200)
        assert.deepEqual([...jar.cookies], [])
        assert.equal(outcome(await page.refresh(t)), '401')
      }
    })

    it('is left alone beside one of another service', async () => {
      const { email } = await newPerson(old)
      const jar = new CookieJar('app.example.com')
      const page = visit(jar)
      const theirs = { name, path: '/', domain: 'example.com', value: other }

      await page.signIn(old, email)
      jar.cookies.set('theirs', theirs)
      t.clock.advance(2000)
      await page.signIn(t, email)
      assert.equal(outcome(await page.refresh(t)), '201')
      assert.deepEqual(jar.cookies.get('theirs'), theirs)
      assert.equal(jar.cookies.size, 3)
    })
  })
}

for (const [what, earlier, now] of [
  ['name', { name: '__Secure-old' }, {}],
  ['path', { path: '/' }, {}],
  ['domain', { domain: 'example.com' }, {}],
  ['security', { secure: false }, {}],
  ['everything', { name: '__Host-old' }, { path: '/api/authentication', domain: 'example.com' }]
] as const) {
  describe(`a cookie whose ${what} was changed`, () => {
    let old: TestApp
    let t: TestApp

    before(async () => {
      old = await start(earlier)
      t = await start({ ...now, previous: [earlier] }, { database: old.db.databaseName })
    })
    after(async () => {
      await t.stop()
      await old.stop()
    })

    const isSame = !('name' in earlier || 'secure' in earlier)

    it('is recognised, replaced and cleared, and signs nobody out', async () => {
      const { email } = await newPerson(old)
      const login = await restClient(old.address).signIn(email, { cookie: true })
      const [cookie] = cookiesOf(login)
      const answer = await refresh(t, `${cookie!.name}=${cookie!.value}`)

      assert.equal(outcome(answer), '201')
      assert.equal(answer.body.session.id, login.body.session.id)
      assert.deepEqual(told(answer), [
        [cookie!.name, cookie!.path, cookie!.domain, 'cleared'],
        [
          'name' in now ? now.name : name,
          'path' in now ? now.path : '/authentication',
          'domain' in now ? now.domain : undefined,
          'set'
        ]
      ])

      // A browser that kept both
      const fresh = cookiesOf(answer)[1]!

      for (const header of [
        `${cookie!.name}=${cookie!.value}; ${fresh.name}=${fresh.value}`,
        `${fresh.name}=${fresh.value}; ${cookie!.name}=${cookie!.value}`
      ]) {
        assert.equal(outcome(await refresh(t, header, { idempotencyKey: email })), '201')
      }

      const signOut = await restClient(t.address).ask('DELETE', '/authentication', {
        token: answer.body.accessToken,
        headers: { cookie: `${cookie!.name}=${cookie!.value}` }
      })

      assert.equal(signOut.status, 200)
      assert.deepEqual(
        told(signOut).map(([, , , what]) => what),
        ['cleared', 'cleared']
      )
    })

    it('is cleared by a new sign-in, which lasts', async () => {
      const { email } = await newPerson(t)
      const stale = await restClient(old.address).signIn(email, { cookie: true })
      const [cookie] = cookiesOf(stale)
      const login = await authenticate(
        t,
        { strategy: 'local', email, password: 'correct horse battery', cookie: true },
        `${cookie!.name}=${cookie!.value}`
      )

      assert.equal(outcome(login), '201')
      assert.deepEqual(told(login)[0]!.at(-1), 'cleared')
    })

    it('does not change answers if the browser has no old cookie', async () => {
      const { email } = await newPerson(t)
      const login = await restClient(t.address).signIn(email, { cookie: true })

      assert.equal(told(login).length, 1)
      assert.equal(
        told(await refresh(t, `${cookiesOf(login)[0]!.name}=${cookiesOf(login)[0]!.value}`)).length,
        isSame ? 2 : 1
      )
    })
  })
}
