import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { Unavailable } from '@feathersjs/errors'
import { MemoryStorage } from '@feathersjs/authentication-client'
import { startApp, type TestApp } from '../support/app.js'
import { manualClock, type ManualClock } from '../support/manual-clock.js'
import { newPerson, stored, type Person } from '../support/people.js'
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
const seconds = 1000 // ms

/** The ids of the sessions that a person has on the service. */
const sessionsOf = async (t: TestApp, { email }: Person): Promise<string[]> =>
  (await stored(t, email)).sessions.map(({ id }: { id: string }) => id)

describe('a sign-out that the service can not be told of', () => {
  for (const cookie of [false, true]) {
    describe(cookie ? 'with a cookie' : 'without cookies', () => {
      let t: TestApp
      let clock: ManualClock
      let network: 'up' | 'down' | 'silent'
      let browser: ReturnType<typeof visitor>
      let storage: MemoryStorage
      let one: RefreshClient

      before(async () => {
        t = await startApp({
          settings: cookie ? { authentication: { 'refresh-token': { cookie: {} } } } : {}
        })
      })
      beforeEach(() => {
        clock = manualClock(t.clock)
        network = 'up'
        browser = visitor()
        storage = new MemoryStorage()
        one = open()
      })
      after(() => t.stop())

      /** The app in the browser, as after a reload. */
      const open = (ownClock: Partial<ManualClock> = clock) =>
        restRefreshClient(t.address, {
          options: { clock: ownClock, storage, cookie },
          fetch: async (url, options) => {
            if (network === 'down') {
              throw new TypeError('fetch failed')
            }
            if (network === 'silent') {
              return new Promise(() => {})
            }

            return browser.ask(String(url), options)
          }
        })

      /** The service has ended the session before the client hears of it. */
      const nothingStored = () => until('an empty storage', () => Object.keys(storage.store).length === 0)

      const signOut = () => assert.rejects(one.client.logout(), { message: /fetch failed/ })

      it('is a sign-out: nobody is signed in after a reload', async () => {
        const { person, login } = await signedIn(t, one)

        network = 'down'
        await signOut()
        assert.equal(one.client.get('authentication'), null)
        assert.equal(one.heard('logout'), 1)
        assert.doesNotMatch(JSON.stringify(storage.store), /eyJ/, 'no token stays behind')

        network = 'up'
        one = open()
        await assert.rejects(one.client.reAuthenticate(), { name: 'NotAuthenticated' })
        await assert.rejects(one.client.service('sessions').find(), { name: 'NotAuthenticated' })
        assert.deepEqual(one.events, [])

        if (cookie) {
          assert.ok(!(await sessionsOf(t, person)).includes(login.session.id), 'and the service knows')
          assert.deepEqual([...browser.jar.values()], [''])
          assert.deepEqual(storage.store, {})
        }
      })

      it('stays one while there is no network', async () => {
        await signedIn(t, one)
        network = 'down'
        await signOut()
        one = open()
        await assert.rejects(one.client.reAuthenticate())
        assert.equal(one.client.get('authentication'), null)
        one.authentication.wake()
        await assert.rejects(one.client.service('sessions').find())
        assert.deepEqual(one.events, [])
      })

      it('is told to the service when the app hears that the network is back', async () => {
        const { person, login } = await signedIn(t, one)

        network = 'down'
        await signOut()
        one.authentication.wake()
        network = 'up'
        await until('the end', async () => {
          one.authentication.wake()
          return !(await sessionsOf(t, person)).includes(login.session.id)
        })
        assert.deepEqual(
          one.events.map(([name]) => name),
          ['login', 'authenticated', 'logout']
        )
        await nothingStored()
      })

      it('is told to the service before the next sign-in, which stays', async () => {
        const { person, login } = await signedIn(t, one)

        network = 'down'
        await signOut()
        network = 'up'

        const other = await newPerson(t)
        const second = await signedIn(t, one, other)

        assert.ok(!(await sessionsOf(t, person)).includes(login.session.id))
        one.authentication.wake()
        clock.advance(15 * minutes)
        assert.equal((await one.client.service('sessions').find()).length, 2)
        assert.ok((await sessionsOf(t, other)).includes(second.login.session.id))
      })

      it('is reported to the service with a valid token, if only the service knows that this one is not', async () => {
        one = open({})

        const { person, login } = await signedIn(t, one)

        t.clock.advance(15 * minutes)
        await one.client.logout()
        assert.equal(one.client.get('authentication'), null)
        await until('the end', async () => {
          one.authentication.wake()
          return !(await sessionsOf(t, person)).includes(login.session.id)
        })
        await nothingStored()
      })

      it('takes no longer than 20 s when nobody answers', async () => {
        await signedIn(t, one)
        network = 'silent'

        const end = one.client.logout().catch(({ name }) => name)

        await new Promise((resolve) => setTimeout(resolve, 20))
        clock.tick(20 * seconds)
        assert.equal(await end, 'Unavailable')
        assert.equal(one.client.get('authentication'), null)
      })
    })
  }
})

for (const [name, connectTo] of Object.entries(refreshTransports)) {
  describe(`a sign-out that fails at the service, on the ${name}`, () => {
    let t: TestApp
    let fails = true

    before(async () => {
      t = await startApp()
      t.app.service('authentication').hooks({
        before: {
          remove: [
            async () => {
              if (fails) {
                throw new Unavailable('Later')
              }
            }
          ]
        }
      })
    })
    beforeEach(() => {
      fails = true
    })
    after(() => t.stop())

    it('signs the user out here anyway', async () => {
      const one = connectTo(t.address, { options: { clock: { now: () => t.clock.now } } })
      const { person } = await signedIn(t, one)
      const heard: unknown[] = []

      one.client.service('sessions').on('created', (session) => heard.push(session))
      await assert.rejects(one.client.logout(), { code: 503 })
      await assert.rejects(one.client.service('sessions').find(), { name: 'NotAuthenticated' })
      await person.signIn()
      assert.equal((await one.client.service('content').get('public')).id, 'public')
      assert.deepEqual(heard, [])
      assert.equal(await one.storage.getItem(sessionItem), undefined)
      one.close()
    })

    it('is told to the service later', async () => {
      const one = connectTo(t.address, { options: { clock: { now: () => t.clock.now } } })
      const { person, login } = await signedIn(t, one)

      await assert.rejects(one.client.logout(), { code: 503 })
      fails = false
      await until('the end', async () => {
        one.authentication.wake()
        return !(await sessionsOf(t, person)).includes(login.session.id)
      })
      one.close()
    })
  })
}

describe('a sign-out after a sign-in with a refresh token', () => {
  let t: TestApp
  let one: RefreshClient

  before(async () => {
    t = await startApp()
  })
  afterEach(() => one.close())
  after(() => t.stop())

  it('leaves no access token of an earlier sign-in behind', async () => {
    const earlier = await newPerson(t)

    one = restRefreshClient(t.address, { options: { clock: { now: () => t.clock.now } } })
    await one.client.authenticate({ strategy: 'jwt', accessToken: earlier.accessToken })
    await signedIn(t, one)
    await one.client.logout()
    assert.equal(await one.storage.getItem('feathers-jwt'), undefined)
    await assert.rejects(one.client.reAuthenticate(), { name: 'NotAuthenticated' })
  })
})
