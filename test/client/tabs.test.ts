import type { AuthenticationRequest } from '@feathersjs/authentication'
import type { Browser, Page } from 'playwright-core'
import { NotAuthenticated } from '@feathersjs/errors'
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { startChromium, tabPage, withoutChromium } from '../support/chromium.js'
import { newPerson, stored } from '../support/people.js'
import { password } from '../support/rest.js'
import { until } from '../support/until.js'

const minutes = 60_000 // ms
declare const inPage: any // what functions in a page see: tab-page.ts

describe('tabs of a browser', { skip: withoutChromium }, () => {
  let t: TestApp
  let chromium: Browser
  let withCookie: TestApp
  let refreshes = 0
  let cookieRefreshes = 0
  let refuses = false

  before(async () => {
    const configure = await tabPage()

    t = await startApp({ configure })
    withCookie = await startApp({
      configure,
      settings: { authentication: { 'refresh-token': { cookie: {} } } }
    })
    withCookie.app.service('authentication').hooks({
      before: {
        create: [
          async (context) => {
            const { strategy } = context.data as AuthenticationRequest

            cookieRefreshes += Number(strategy === 'refresh-token')

            if (strategy === 'jwt' && refuses) {
              throw new NotAuthenticated('Another key', { reason: 'invalid' })
            }
          }
        ]
      }
    })
    t.app.service('authentication').hooks({
      before: {
        create: [
          async (context) =>
            void (refreshes += Number((context.data as AuthenticationRequest).strategy === 'refresh-token'))
        ]
      }
    })
    chromium = await startChromium()
  })
  afterEach(async () => {
    await Promise.all(chromium.contexts().map((context) => context.close()))
  })
  after(async () => {
    await chromium.close()
    await t.stop()
    await withCookie.stop()
  })

  /** Pages that share a storage, of which the first signs in. */
  const openTabs = async (count: number, options: object = {}, on = t) => {
    const context = await chromium.newContext()
    const tabs: Page[] = []
    const person = await newPerson(on)
    const { email } = person
    let login: any

    for (let n = 0; n < count; n++) {
      const tab = await context.newPage()

      await tab.goto(`${on.address}/tab.html`)
      await tab.evaluate((options) => inPage.start(options), options)
      login = await tab.evaluate(
        ([email, password, isFirst]) =>
          isFirst
            ? inPage.app.authenticate({ strategy: 'local', email, password })
            : inPage.app.reAuthenticate(),
        [email, password, n === 0] as const
      )
      tabs.push(tab)
    }

    // All are signed in with the newest token, sockets too
    await Promise.all(tabs.map((tab) => tab.evaluate(() => inPage.call())))
    refreshes = cookieRefreshes = 0
    return { tabs, person, login, context }
  }

  const eventsOf = (tab: Page): Promise<[string, any][]> => tab.evaluate(() => inPage.events)
  const count = async (tab: Page, name: string) => (await eventsOf(tab)).filter(([n]) => n === name).length

  // Of 24 apps: more than two thousand tokens expire
  const rounds = 45

  for (const transport of ['rest', 'socket']) {
    it(`make one refresh at each of ${rounds} expiries, and stay signed in (${transport})`, async () => {
      const options = { socket: transport === 'socket' }
      const { tabs } = await openTabs(2, options)

      for (const tab of tabs) {
        await tab.evaluate((options) => inPage.addFrames(11, options), options)
      }

      refreshes = 0

      for (let round = 0; round < rounds; round++) {
        t.clock.advance(15 * minutes)

        const answers = await Promise.all(
          tabs.map((tab) => tab.evaluate((ms) => inPage.expireAll(ms), 15 * minutes))
        )

        assert.deepEqual(answers.flat(), Array(24).fill(2), `round ${round}`)
      }

      assert.equal(refreshes, rounds, 'one refresh each')

      for (const tab of tabs) {
        const heard: string[] = await tab.evaluate(() => inPage.heard())

        assert.deepEqual([...new Set(heard)].sort(), ['login', 'refreshed'])
        assert.ok(heard.filter((name) => name === 'refreshed').length >= 12 * rounds)
      }
    })
  }

  it('are all signed out when one signs out', async () => {
    const { tabs } = await openTabs(3)

    await tabs[1]!.evaluate(() => inPage.signOut())

    for (const tab of tabs) {
      await until('the sign-out', async () => (await count(tab, 'logout')) === 1)
      assert.match(await tab.evaluate(() => inPage.call()), /NotAuthenticated/)
      assert.equal(await count(tab, 'session-ended'), 0)
    }
  })

  for (const socket of [false, true]) {
    it(`are all signed out, at the service too, when the storage is cleared (${socket ? 'socket' : 'rest'})`, async () => {
      const { tabs, person, login } = await openTabs(3, { socket })

      await tabs[1]!.evaluate(() => (globalThis as any).localStorage.clear())
      await tabs[1]!.evaluate(() => inPage.app.authentication.wake())

      for (const tab of tabs) {
        await until('the sign-out', async () => (await count(tab, 'logout')) === 1)
        assert.equal(await count(tab, 'session-ended'), 0)
      }

      await until(
        'the end at the service',
        async () => !JSON.stringify((await stored(t, person.email)).sessions).includes(login.session.id)
      )

      await tabs[0]!.evaluate(
        ([email, password]) => inPage.app.authenticate({ strategy: 'local', email, password }),
        [person.email, password] as const
      )

      for (const tab of tabs) {
        await until('the sign-in', async () => (await count(tab, 'login')) === 2)
        assert.equal(await tab.evaluate(() => inPage.call()), 2)
        assert.equal(await count(tab, 'logout'), 1)
      }
    })
  }

  it('all hear why their session has ended, once', async () => {
    const { tabs, person, login } = await openTabs(3, { socket: true })

    await person.ask('DELETE', `/sessions/${login.session.id}`)

    for (const tab of tabs) {
      await until('the end', async () => (await count(tab, 'session-ended')) === 1)
      assert.deepEqual((await eventsOf(tab)).at(-1), ['session-ended', 'revoked'])
      assert.equal(await count(tab, 'logout'), 0)
    }
  })

  it('follow a sign-in as another user, and one after a sign-out', async () => {
    const { tabs } = await openTabs(3)
    const [first, ...others] = tabs
    const userOf = (tab: Page) => tab.evaluate(async () => (await inPage.app.get('authentication'))?.user._id)

    for (const signOut of [false, true]) {
      const other = await newPerson(t)

      if (signOut) {
        await others[0]!.evaluate(() => inPage.signOut())
        await until('the sign-out', async () => (await count(first!, 'logout')) === 1)
      }

      await first!.evaluate(([email, password]) => inPage.signIn(email, password), [
        other.email,
        password
      ] as const)

      for (const tab of others) {
        await until('the other user', async () => (await userOf(tab)) === other.id)
        assert.equal(await tab.evaluate(() => inPage.call()), 2)
      }
    }

    assert.equal(refreshes, 0, 'they were told')
  })

  it('do not wait forever for a tab that hangs while it renews', async () => {
    const { tabs, context } = await openTabs(2)
    const hung = await context.newPage()

    await hung.goto(`${t.address}/tab.html`)
    await hung.evaluate(
      () => void inPage.window.navigator.locks.request('feathers-jwt-session', () => new Promise(() => {}))
    )
    t.clock.advance(15 * minutes)

    const answers = await Promise.all(
      tabs.map((tab) =>
        tab.evaluate((ms) => {
          const { AbortSignal } = inPage.window
          const slow = AbortSignal.timeout.bind(AbortSignal)

          // Time flies
          AbortSignal.timeout = (delay: number) => slow(delay / 10)
          return inPage.expire(ms)
        }, 15 * minutes)
      )
    )

    assert.deepEqual(answers, [2, 2])
    assert.equal((await count(tabs[0]!, 'session-ended')) + (await count(tabs[1]!, 'session-ended')), 0)
  })

  it('with a storage of their own are strangers', async () => {
    const { tabs } = await openTabs(1)
    const stranger = await tabs[0]!.context().newPage()
    const other = await newPerson(t)

    await stranger.goto(`${t.address}/tab.html`)
    await stranger.evaluate(() => inPage.start({ memory: true }))
    await stranger.evaluate(([email, password]) => inPage.signIn(email, password), [
      other.email,
      password
    ] as const)
    await stranger.evaluate(() => inPage.signOut())
    assert.equal(await tabs[0]!.evaluate(() => inPage.call()), 2)
    assert.deepEqual(
      (await eventsOf(tabs[0]!)).map(([name]) => name),
      ['login']
    )
  })

  it('renew when they become visible again, and not before', async () => {
    const { tabs } = await openTabs(1)
    const [tab] = tabs

    t.clock.advance(60 * minutes)
    await tab!.evaluate((ms) => inPage.move(ms), 60 * minutes)
    assert.equal(await count(tab!, 'refreshed'), 0)
    await tab!.evaluate(() => void inPage.window.dispatchEvent(new Event('focus')))
    await until('the refresh', async () => (await count(tab!, 'refreshed')) === 1)
  })

  it('do not refresh forever if the service refuses what it has just issued', async () => {
    const { tabs } = await openTabs(1, { socket: true, cookie: true }, withCookie)

    refuses = true
    withCookie.clock.advance(15 * minutes)
    assert.match(await tabs[0]!.evaluate((ms) => inPage.expire(ms), 15 * minutes), /NotAuthenticated/)

    const asked = cookieRefreshes

    await tabs[0]!.waitForTimeout(200)
    assert.ok(asked > 0 && cookieRefreshes < 20, `${asked}, ${cookieRefreshes} refreshes`)
    refuses = false
    await tabs[0]!.evaluate(() => inPage.app.authentication.renew().then(() => undefined))
    assert.equal(await tabs[0]!.evaluate(() => inPage.call()), 2)
  })

  for (const socket of [false, true]) {
    describe(`with cookies${socket ? ', on a socket' : ''}`, () => {
      it('keep their session through reloads and expiries, and no token in a storage', async () => {
        const { tabs, context } = await openTabs(2, { socket, cookie: true }, withCookie)
        const [first, second] = tabs

        for (let round = 0; round < 5; round++) {
          withCookie.clock.advance(15 * minutes)
          assert.deepEqual(
            await Promise.all(tabs.map((tab) => tab.evaluate((ms) => inPage.expire(ms), 15 * minutes))),
            [2, 2]
          )
        }
        assert.equal(cookieRefreshes, 5)

        const stored = await first!.evaluate(() => JSON.stringify({ ...inPage.window.localStorage }))

        assert.ok(!stored.includes('eyJ'), 'no token is stored')
        assert.equal((await context.cookies(`${withCookie.address}/authentication`))[0]!.httpOnly, true)

        await second!.reload()
        await second!.evaluate(([options, ahead]) => (inPage.move(ahead), inPage.start(options)), [
          { socket, cookie: true },
          75 * minutes
        ] as const)
        await second!.evaluate(() => inPage.resume())
        assert.equal(await second!.evaluate(() => inPage.call()), 2)

        await first!.evaluate(() => inPage.signOut())
        await until('the sign-out', async () => (await count(second!, 'logout')) === 1)
        assert.deepEqual(await context.cookies(`${withCookie.address}/authentication`), [])
        assert.match(await second!.evaluate(() => inPage.call()), /NotAuthenticated/)

        await second!.reload()
        await second!.evaluate((options) => inPage.start(options), { socket, cookie: true })
        assert.match(
          await second!.evaluate(() => inPage.app.reAuthenticate().catch(String)),
          /NotAuthenticated/
        )
        assert.deepEqual(await eventsOf(second!), [], 'nobody is signed in, and so nothing has ended')
      })

      it('stay signed out after a sign-out without a network, and tell the service later', async () => {
        const { tabs, context, person, login } = await openTabs(2, { socket, cookie: true }, withCookie)
        const [first, second] = tabs
        const cookies = () => context.cookies(`${withCookie.address}/authentication`)

        await context.setOffline(true)
        assert.match(await first!.evaluate(() => inPage.app.logout().catch(String)), /Failed to fetch/)
        await until('the sign-out', async () => (await count(second!, 'logout')) === 1)
        assert.equal((await cookies()).length, 1)
        await context.setOffline(false)

        await second!.reload()
        await second!.evaluate((options) => inPage.start(options), { socket, cookie: true })
        assert.match(
          await second!.evaluate(() => inPage.app.reAuthenticate().catch(String)),
          /NotAuthenticated/
        )
        await until('the end', async () => (await cookies()).length === 0)

        const { sessions } = await stored(withCookie, person.email)

        assert.ok(!JSON.stringify(sessions).includes(login.session.id))
        assert.deepEqual(await eventsOf(second!), [])
        assert.deepEqual(await first!.evaluate(() => ({ ...inPage.window.localStorage })), {})

        await first!.evaluate(([email, password]) => inPage.signIn(email, password), [
          person.email,
          password
        ] as const)
        assert.equal(typeof (await first!.evaluate(() => inPage.call())), 'number')
      })
    })
  }
})
