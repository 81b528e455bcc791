import { MemoryStorage } from '@feathersjs/authentication-client'
import type { AuthenticationResult } from '@feathersjs/authentication'
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { refreshTransports, sessionItem, signedIn, type RefreshClient } from '../support/refresh-clients.js'
import { newPerson, stored } from '../support/people.js'
import { password } from '../support/rest.js'
import { visitor } from '../support/visitor.js'
import { until } from '../support/until.js'

const minutes = 60_000 // ms

type Fault = 'none' | 'full' | 'read-only' | 'denied' | 'silent' | 'silent to writes' | 'slow'

/** A storage that breaks when it is told to. */
class FaultyStorage extends MemoryStorage {
  fault: Fault = 'none'

  override getItem(key: string) {
    return this.#do('getItem', () => super.getItem(key))
  }

  override setItem(key: string, value: string) {
    return this.#do('setItem', () => super.setItem(key, value))
  }

  override removeItem(key: string) {
    return this.#do('removeItem', () => super.removeItem(key))
  }

  async #do<T>(method: string, work: () => Promise<T>): Promise<T> {
    if (this.fault === 'silent' || (this.fault === 'silent to writes' && method === 'setItem')) {
      return new Promise(() => {})
    }
    if (this.fault === 'slow') {
      await new Promise((resolve) => setTimeout(resolve, 1500))
    }

    const isBroken =
      this.fault === 'denied' ||
      (this.fault === 'read-only' && method !== 'getItem') ||
      (this.fault === 'full' && method === 'setItem')

    if (isBroken) {
      throw new DOMException('The quota has been exceeded', 'QuotaExceededError')
    }

    return work()
  }
}

for (const [name, connectTo] of Object.entries(refreshTransports)) {
  describe(`storages that break, on the ${name}`, () => {
    let t: TestApp
    const open: RefreshClient[] = []

    before(async () => {
      t = await startApp()
    })
    afterEach(() => open.splice(0).forEach(({ close }) => close()))
    after(() => t.stop())

    const connect = (storage: MemoryStorage) => {
      const one = connectTo(t.address, { options: { clock: { now: () => t.clock.now }, storage } })
      const faults: unknown[] = []

      one.client.on('storage-failed', (error) => faults.push(error))
      open.push(one)
      return { ...one, faults, find: () => one.client.service('sessions').find() }
    }

    for (const fault of ['full', 'read-only', 'denied'] as const) {
      it(`after the sign-in cost no session: ${fault}`, async () => {
        const storage = new FaultyStorage()
        const one = connect(storage)
        const { login } = await signedIn(t, one)

        storage.fault = fault

        for (let round = 0; round < 4; round++) {
          t.clock.advance(15 * minutes)
          assert.equal((await one.find()).length, 2)
        }

        assert.equal(one.faults.length, 1, 'the app hears of it, once')

        // A restart, when the storage is as it was left
        const again = connect(storage)

        if (fault === 'denied') {
          await assert.rejects(again.client.reAuthenticate(), { name: 'NotAuthenticated' })
        } else {
          assert.equal((await again.client.reAuthenticate()).session.id, login.session.id)
          t.clock.advance(15 * minutes)
          assert.equal((await again.find()).length, 2)
          assert.equal((await one.find()).length, 2, 'and both go on')
        }

        storage.fault = 'none'
        t.clock.advance(15 * minutes)
        assert.equal((await one.find()).length, 2)
        assert.equal(one.heard('session-ended') + again.heard('session-ended'), 0)
      })

      it(`at the sign-in keep it for as long as the app runs: ${fault}`, async () => {
        const storage = new FaultyStorage()
        const earlier = await signedIn(t, connect(storage))

        storage.fault = fault

        const one = connect(storage)
        const { login, person } = await signedIn(t, one)

        assert.notEqual(login.user._id, earlier.login.user._id)

        for (let round = 0; round < 2; round++) {
          t.clock.advance(15 * minutes)
          assert.equal((await one.client.service('users').get(person.id))._id, person.id)
        }

        assert.equal(one.faults.length, 1)

        if (fault === 'full') {
          assert.equal(storage.store[sessionItem], undefined, 'the session of somebody else is removed')
        }

        await one.client.logout()
        assert.equal(one.client.get('authentication'), null)
      })
    }

    for (const fault of ['denied', 'silent', 'silent to writes'] as const) {
      it(`after the sign-in, and work again at the next start, cost no session: ${fault}`, async () => {
        const storage = new FaultyStorage()
        const one = connect(storage)
        const { login } = await signedIn(t, one)

        storage.fault = fault

        for (let round = 0; round < 3; round++) {
          t.clock.advance(15 * minutes)
          assert.equal((await one.find()).length, 2)
        }

        storage.fault = 'none'

        const again = connect(storage)

        assert.equal((await again.client.reAuthenticate()).session.id, login.session.id)
        t.clock.advance(15 * minutes)
        assert.equal((await again.find()).length, 2)
        assert.equal(one.heard('session-ended') + again.heard('session-ended'), 0)
      })
    }

    it('at the sign-in, and work again, keep it from then on', async () => {
      const storage = new FaultyStorage()

      await signedIn(t, connect(storage))
      storage.fault = 'denied'

      const one = connect(storage)
      const { login } = await signedIn(t, one)

      storage.fault = 'none'
      one.authentication.wake()
      await until('the session in the storage', async () => {
        const kept = JSON.parse(storage.store[sessionItem])

        return JSON.parse(atob(kept.refreshToken.split('.')[1])).sid === login.session.id
      })
      assert.equal((await connect(storage).client.reAuthenticate()).session.id, login.session.id)
    })

    for (const fault of ['read-only', 'denied', 'slow'] as const) {
      it(`at the sign-out let go of the session when they work again: ${fault}`, async () => {
        const storage = new FaultyStorage()
        const one = connect(storage)

        await signedIn(t, one)
        storage.fault = fault
        await one.client.logout()
        assert.equal(one.client.get('authentication'), null)
        storage.fault = 'none'
        one.authentication.wake()
        await until('an empty storage', () => !storage.store[sessionItem])
        await new Promise((resolve) => setTimeout(resolve, fault === 'slow' ? 2000 : 0))
        assert.equal(storage.store[sessionItem], undefined)
        await assert.rejects(connect(storage).client.reAuthenticate(), { name: 'NotAuthenticated' })
      })
    }

    it('that are slow when the app starts say nothing about the session', async () => {
      const storage = new FaultyStorage()
      const { login } = await signedIn(t, connect(storage))

      storage.fault = 'slow'

      const one = connect(storage)

      await assert.rejects(one.client.reAuthenticate(), { name: 'Unavailable' })
      await new Promise((resolve) => setTimeout(resolve, 1000))
      assert.equal((await one.client.reAuthenticate()).session.id, login.session.id)
    })

    for (const method of ['getItem', 'setItem', 'removeItem'] as const) {
      it(`that throw at once, as localStorage does, count as failed: ${method}`, async () => {
        const storage = Object.assign(new MemoryStorage(), {
          [method]() {
            throw new DOMException('The operation is insecure', 'SecurityError')
          }
        })
        const one = connect(storage)
        const wrong = { strategy: 'local', email: 'nobody@example.com', password: 'wrong' }

        await assert.rejects(one.client.reAuthenticate(), { name: 'NotAuthenticated' })
        await assert.rejects(one.client.authenticate(wrong), { name: 'NotAuthenticated' })
        await signedIn(t, one)
        t.clock.advance(15 * minutes)
        assert.equal((await one.find()).length, 2)
        await one.client.logout()
        await one.client.logout()
        assert.equal(one.client.get('authentication'), null)
      })
    }

    it('that throw from any access on cost no session', async () => {
      for (let first = 1; first <= 16; first++) {
        const storage = new MemoryStorage()
        let accesses = 0

        for (const method of ['getItem', 'setItem', 'removeItem'] as const) {
          const work = storage[method].bind(storage) as (...data: string[]) => Promise<unknown>

          storage[method] = (...data: string[]) => {
            if (++accesses >= first) {
              throw new DOMException('The operation is insecure', 'SecurityError')
            }

            return work(...data) as never
          }
        }

        const one = connect(storage)

        await one.client.reAuthenticate().catch(() => {})
        await signedIn(t, one)

        for (let round = 0; round < 3; round++) {
          t.clock.advance(15 * minutes)
          one.authentication.wake()
          assert.equal((await one.find()).length, 2, `from access ${first}`)
        }

        assert.equal(one.heard('logout') + one.heard('session-ended'), 0, `from access ${first}`)
        await one.client.logout()
        assert.equal(one.client.get('authentication'), null)
        assert.equal(one.faults.length, Number(accesses >= first))
        one.close()
      }
    })

    it('that never answer cause no waiting', async () => {
      const storage = new FaultyStorage()

      storage.fault = 'silent'

      const one = connect(storage)
      const since = Date.now()

      await assert.rejects(one.client.reAuthenticate(), { name: 'Unavailable' })
      await signedIn(t, one)
      t.clock.advance(15 * minutes)
      assert.equal((await one.find()).length, 2)
      await one.client.logout()
      assert.equal(one.client.get('authentication'), null)
      assert.ok(Date.now() - since < 5000, `${Date.now() - since} ms`)
      assert.equal(one.faults.length, 1)
    })

    it('that accept everything and keep nothing count as none', async () => {
      const storage = Object.assign(new MemoryStorage(), { getItem: async () => undefined })
      const one = connect(storage)

      await signedIn(t, one)
      one.authentication.wake()
      t.clock.advance(15 * minutes)
      assert.equal((await one.find()).length, 2)
      assert.equal(one.heard('logout'), 0)
      assert.equal(one.faults.length, 1)
    })

    it('that throw at every access count as none', async () => {
      const storage = new Proxy(new MemoryStorage(), {
        get(target, key, receiver) {
          if (key === 'getItem' || key === 'setItem' || key === 'removeItem') {
            throw new DOMException('The operation is insecure', 'SecurityError')
          }

          return Reflect.get(target, key, receiver)
        }
      })
      const one = connect(storage)

      await assert.rejects(one.client.reAuthenticate())
      await signedIn(t, one)
      t.clock.advance(15 * minutes)
      assert.equal((await one.find()).length, 2)
      await one.client.logout()
      assert.equal(one.client.get('authentication'), null)
      assert.equal(one.faults.length, 1)
    })

    for (const rubbish of [
      'null',
      '7',
      '"text"',
      '[]',
      '{}',
      '{"key":7}',
      '{"key":""}',
      `{"key":"${'x'.repeat(129)}"}`,
      '{"key"',
      'true'
    ]) {
      it(`that contain something else contain no session: ${rubbish.slice(0, 20)}`, async () => {
        const storage = new MemoryStorage()

        storage.store[sessionItem] = rubbish

        const one = connect(storage)

        await assert.rejects(one.client.reAuthenticate(), { name: 'NotAuthenticated' })
        assert.equal((await one.client.service('content').get('public')).id, 'public')
        await signedIn(t, one)
        t.clock.advance(15 * minutes)
        assert.equal((await one.find()).length, 2)
        assert.equal(one.faults.length, 0)
      })
    }

    /** Whether the service still has a session. */
    const isOpen = async (email: string, { session }: AuthenticationResult) =>
      JSON.stringify((await stored(t, email)).sessions).includes(session.id)

    for (const content of [undefined, '', 'null', '[]', '{"key":7}', '{"theirs":true}', '{"key"']) {
      it(`whose content is replaced while in use sign the user out, here and at the service: ${content}`, async () => {
        const storage = new MemoryStorage()
        const one = connect(storage)
        const { login, person } = await signedIn(t, one)

        storage.store = content === undefined ? {} : { [sessionItem]: content }
        one.authentication.wake()
        await until('the sign-out', () => one.heard('logout') === 1)
        assert.equal(one.client.get('authentication'), null)
        await until('the end at the service', async () => !(await isOpen(person.email, login)))
        await assert.rejects(connect(storage).client.reAuthenticate(), { name: 'NotAuthenticated' })
        assert.deepEqual(storage.store, content === undefined ? {} : { [sessionItem]: content })
        await signedIn(t, one, person)
        assert.equal((await one.find()).length, 2)
        assert.equal(one.heard('session-ended'), 0)
      })
    }

    it('that are cleared when the access token has expired sign the user out at the service, too', async () => {
      const storage = new MemoryStorage()
      const one = connect(storage)
      const { login, person } = await signedIn(t, one)

      t.clock.advance(16 * minutes)
      storage.store = {}
      await one.find().catch(() => {})
      assert.equal(one.client.get('authentication'), null)
      assert.equal(one.heard('logout'), 1)
      await until('the end at the service', async () => !(await isOpen(person.email, login)))
    })

    it('that would apply two writes in the wrong order get them one after the other', async () => {
      const storage = new MemoryStorage()
      const setItem = storage.setItem.bind(storage)
      let writes = 0

      storage.setItem = async (key, value) => {
        await new Promise((resolve) => setTimeout(resolve, writes++ ? 0 : 500))
        return setItem(key, value)
      }

      const one = connect(storage)
      const person = await newPerson(t)
      const login = one.client.authenticate({ strategy: 'local', email: person.email, password })

      await until('the first write', () => writes === 1)
      await one.authentication.renew()
      await one.authentication.renew()

      const { session } = await login

      one.close()
      t.clock.advance(15 * minutes)
      assert.equal((await connect(storage).client.reAuthenticate()).session.id, session.id)
      assert.equal(one.heard('session-ended'), 0)
    })

    it('that are restored to an earlier session are brought up to date', async () => {
      const storage = new MemoryStorage()
      const one = connect(storage)

      await signedIn(t, one)

      const earlier = { ...storage.store }

      for (let round = 0; round < 3; round++) {
        t.clock.advance(15 * minutes)
        await one.find()
      }

      storage.store = earlier
      one.authentication.wake()
      t.clock.advance(15 * minutes)
      assert.equal((await one.find()).length, 2)
      await one.client.logout()
      storage.store = earlier
      one.authentication.wake()
      await until('an empty storage', () => !storage.store[sessionItem])
      assert.equal(one.heard('session-ended'), 0)
    })
  })
}

describe('a storage that is cleared, with a cookie', () => {
  let t: TestApp

  before(async () => {
    t = await startApp({ settings: { authentication: { 'refresh-token': { cookie: {} } } } })
  })
  after(() => t.stop())

  const connect = (storage: MemoryStorage, browser: ReturnType<typeof visitor>) =>
    refreshTransports['rest-client'](t.address, {
      options: { clock: { now: () => t.clock.now }, storage, cookie: true },
      fetch: (url, options) => browser.ask(String(url), options)
    })

  it('signs nobody out: the cookie is there', async () => {
    const storage = new MemoryStorage()
    const browser = visitor()
    const one = connect(storage, browser)
    const { login } = await signedIn(t, one)

    storage.store = {}
    one.authentication.wake()
    await until('the refresh', () => one.heard('refreshed') === 1)
    assert.ok(storage.store[sessionItem], 'its key is there again')
    storage.store = {}
    t.clock.advance(15 * minutes)
    assert.equal((await one.client.service('sessions').find()).length, 2)
    assert.equal(one.heard('logout') + one.heard('session-ended'), 0)
    storage.store = {}
    assert.equal((await connect(storage, browser).client.reAuthenticate()).session.id, login.session.id)
  })

  it('is a sign-out when the cookie is gone, too', async () => {
    const storage = new MemoryStorage()
    const browser = visitor()
    const one = connect(storage, browser)

    await signedIn(t, one)
    storage.store = {}
    browser.jar.clear()
    one.authentication.wake()
    await until('the sign-out', () => one.heard('logout') === 1)
    assert.equal(one.client.get('authentication'), null)
    await assert.rejects(connect(storage, browser).client.reAuthenticate(), { name: 'NotAuthenticated' })
  })

  it('forgets no sign-out that the service was not told of, and that only fits when the session is gone', async () => {
    const storage = new MemoryStorage()
    const { setItem } = storage
    const browser = visitor()
    let isDown = false
    const one = refreshTransports['rest-client'](t.address, {
      options: { clock: { now: () => t.clock.now }, storage, cookie: true },
      fetch: async (url, options) => {
        if (isDown) {
          throw new TypeError('fetch failed')
        }

        return browser.ask(String(url), options)
      }
    })

    await signedIn(t, one)
    storage.setItem = async (key, value) => {
      if (Object.keys(storage.store).some((other) => other !== key)) {
        throw new DOMException('The quota has been exceeded', 'QuotaExceededError')
      }

      return setItem.call(storage, key, value)
    }
    isDown = true
    await assert.rejects(one.client.logout())
    isDown = false
    await assert.rejects(connect(storage, browser).client.reAuthenticate(), { name: 'NotAuthenticated' })
    assert.deepEqual(storage.store, {})
  })

  it('forgets no sign-out that the service was not told of', async () => {
    const storage = new MemoryStorage()
    const browser = visitor()
    let isDown = false
    const one = refreshTransports['rest-client'](t.address, {
      options: { clock: { now: () => t.clock.now }, storage, cookie: true },
      fetch: async (url, options) => {
        if (isDown) {
          throw new TypeError('fetch failed')
        }

        return browser.ask(String(url), options)
      }
    })

    await signedIn(t, one)
    storage.store = {}
    isDown = true
    await assert.rejects(one.client.logout())
    isDown = false
    await assert.rejects(connect(storage, browser).client.reAuthenticate(), { name: 'NotAuthenticated' })
  })
})
