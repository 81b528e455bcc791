import { MemoryStorage } from '@feathersjs/authentication-client'
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { manualClock, type ManualClock } from '../support/manual-clock.js'
import {
  refreshTransports,
  restRefreshClient,
  signedIn,
  type RefreshClient
} from '../support/refresh-clients.js'
import { password } from '../support/rest.js'
import { until } from '../support/until.js'
import { visitor } from '../support/visitor.js'

const minutes = 60_000 // ms

/** Fails where a promise does not end. */
const soon = async <T>(promise: Promise<T>): Promise<T | 'it threw'> => {
  let timer: ReturnType<typeof setTimeout>
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('It hangs')), 5000)
  })

  try {
    return await Promise.race([
      promise.catch((error) => {
        assert.notEqual(error.message, 'It hangs')
        return 'it threw' as const
      }),
      late
    ])
  } finally {
    clearTimeout(timer!)
  }
}

for (const [name, connectTo] of Object.entries(refreshTransports)) {
  describe(`code of the app, on the ${name}`, () => {
    let t: TestApp
    let clock: ManualClock
    let one: RefreshClient
    let asked: string[]

    before(async () => {
      t = await startApp()
      t.app.service('authentication').hooks({
        before: {
          all: [
            async ({ method, data }) =>
              void asked.push(`${method} ${(data as { strategy?: string })?.strategy ?? ''}`.trim())
          ]
        }
      })
    })
    beforeEach(() => {
      asked = []
      clock = manualClock(t.clock)
      one = connectTo(t.address, { options: { clock } })
    })
    afterEach(() => one.close())
    after(() => t.stop())

    const find = () => one.client.service('sessions').find()
    const provoke = async (event: string) => {
      const { person, login } = await signedIn(t, one)

      if (event === 'session-ended') {
        await person.ask('DELETE', `/sessions/${login.session.id}`)
      } else if (event === 'logout') {
        await soon(one.client.logout())
      }

      clock.advance(15 * minutes)
      await soon(find())
    }
    const hookErrors = (onError: () => Promise<unknown>) => {
      one.client.hooks({
        error: {
          all: [
            async ({ error }: { error: { code: number } }) => {
              if (error.code === 401) {
                await onError()
              }
            }
          ]
        }
      } as never)
    }

    for (const event of ['login', 'refreshed', 'logout', 'session-ended']) {
      it(`may call the client from within ${event}`, async () => {
        const outcomes: Promise<unknown>[] = []

        one.client.on(event, () => {
          one.client.removeAllListeners(event)
          outcomes.push(
            soon(one.authentication.renew()),
            soon(find()),
            soon(one.client.reAuthenticate()),
            soon(one.client.reAuthenticate(true))
          )
        })

        await provoke(event)
        await until('the event', () => outcomes.length === 4, 5000)
        await Promise.all(outcomes)
      })

      it(`may sign out from within ${event}`, async () => {
        let outcome: Promise<unknown> | undefined

        one.client.once(event, () => {
          outcome = soon(one.client.logout())
        })

        await provoke(event)
        await until('the event', () => outcome !== undefined, 5000)
        await outcome
        assert.equal(one.client.get('authentication'), null)
      })
    }

    it('may throw in listeners, which is reported and stops nothing', async (context) => {
      const reported = context.mock.method(console, 'error', () => {})

      for (const event of ['login', 'refreshed', 'logout']) {
        one.client.on(event, () => {
          throw new Error(event)
        })
      }

      await provoke('refreshed')
      assert.equal((await find()).length, 2)
      await one.client.logout()
      assert.deepEqual(
        reported.mock.calls.map(({ arguments: [error] }) => (error as Error).message),
        ['login', 'refreshed', 'logout']
      )
    })

    it('may throw in a listener of session-ended: the call fails as usual, and nothing is repeated', async (context) => {
      const reported = context.mock.method(console, 'error', () => {})

      one.client.on('session-ended', () => {
        throw new Error('session-ended')
      })

      const { person, login } = await signedIn(t, one)

      await person.ask('DELETE', `/sessions/${login.session.id}`)
      clock.advance(16 * minutes)
      await assert.rejects(find(), { name: 'NotAuthenticated' })
      asked = []

      for (let round = 0; round < 3; round++) {
        clock.advance(15 * minutes)
        await assert.rejects(find(), { name: 'NotAuthenticated' })
      }

      assert.deepEqual(
        reported.mock.calls.map(({ arguments: [error] }) => (error as Error).message),
        ['session-ended']
      )
      assert.deepEqual(asked, [])
      assert.equal(one.client.get('authentication'), null)
    })

    describe('where a hook after an authentication calls a service', () => {
      /** Who is signed in according to the service, and what the hook was given. */
      let seen: [string, string][]

      beforeEach(() => {
        seen = []
        one.client.service('authentication').hooks({
          after: {
            create: [
              async ({ result, params }) => {
                const { data } = await one.client.service('users').find()

                assert.ok(!('refreshToken' in params))
                seen.push([data[0].email, (result as { user: { email: string } }).user.email])
                Object.assign(result, { added: true })
              }
            ]
          }
        })
      })

      const all = (count: number, email: string) =>
        assert.deepEqual(
          seen,
          Array.from({ length: count }, () => [email, email])
        )

      it('gets its answer at a sign-in, with the new token, and may add to the result', async () => {
        const { person, login } = (await soon(signedIn(t, one))) as Awaited<ReturnType<typeof signedIn>>

        all(1, person.email)
        assert.equal(login.added, true)
        assert.equal((await one.client.get('authentication')).added, true)
      })

      it('gets the answer of the new user where somebody else was signed in', async () => {
        await soon(signedIn(t, one))
        seen = []

        const { person } = (await soon(signedIn(t, one))) as Awaited<ReturnType<typeof signedIn>>

        all(1, person.email)
        assert.equal((await find()).length, 2)
      })

      it('gets its answer at a refresh, before the token expires and after it has', async () => {
        const { person } = (await soon(signedIn(t, one))) as Awaited<ReturnType<typeof signedIn>>

        await soon(one.authentication.renew())
        clock.advance(16 * minutes)
        assert.equal(((await soon(find())) as unknown[]).length, 2)
        assert.equal((await one.client.get('authentication')).added, true)
        assert.ok(seen.length >= 3)
        all(seen.length, person.email)
      })

      it('gets its answer when a stored session is resumed, and again if that is forced', async () => {
        const earlier = connectTo(t.address, { options: { clock, storage: one.storage } })
        const { person } = await signedIn(t, earlier)

        earlier.close()
        await soon(one.client.reAuthenticate())
        assert.notEqual(await soon(one.client.reAuthenticate(true)), 'it threw')
        assert.equal((await one.client.get('authentication')).added, true)
        assert.ok(seen.length >= 2)
        all(seen.length, person.email)
      })

      it('gets its answer at a step-up', async () => {
        const { person } = await signedIn(t, one)
        const data = { strategy: 'local', email: person.email, password, stepUp: true }

        assert.notEqual(await soon(one.client.authenticate(data)), 'it threw')
        all(2, person.email)
      })
    })

    it('may refuse a sign-in in a hook: whoever was signed in still is', async () => {
      const { person, login } = await signedIn(t, one)
      let refuses = true

      one.client.service('authentication').hooks({
        after: {
          create: [
            async () => {
              if (refuses) {
                refuses = false
                throw new Error('Not for you')
              }
            }
          ]
        }
      })

      await assert.rejects(signedIn(t, one), { message: 'Not for you' })
      assert.equal((await one.client.get('authentication')).user._id, login.user._id)
      assert.equal((await one.client.service('users').find()).data[0].email, person.email)
    })

    it('may hang in a hook: a sign-in and a refresh fail after 20 s, and can be repeated', async () => {
      let hangs = 0

      one.client.service('authentication').hooks({
        after: { create: [() => (hangs-- > 0 ? new Promise<void>(() => {}) : undefined)] }
      })

      for (const step of ['sign-in', 'refresh']) {
        const before = asked.length
        const login = one.heard('login')

        hangs = 1

        const outcome = step === 'sign-in' ? signedIn(t, one) : one.authentication.renew()

        outcome.catch(() => {})
        await until('the answer', () => hangs === 0 && asked.length > before, 5000)
        await new Promise((resolve) => setTimeout(resolve, 50))
        clock.tick(20_000)
        await assert.rejects(outcome, { name: 'Unavailable' })
        assert.equal(one.heard('login'), login)

        if (step === 'sign-in') {
          assert.equal(one.client.get('authentication'), null)
          await assert.rejects(find(), { name: 'NotAuthenticated' })
          await soon(signedIn(t, one))
        } else {
          await soon(one.authentication.renew())
        }

        assert.equal(((await soon(find())) as unknown[]).length, 2)
      }

      assert.equal(one.heard('session-ended') + one.heard('logout'), 0)
    })

    it('may refuse a sign-in in a hook: nobody is signed in', async () => {
      one.client.service('authentication').hooks({
        after: { create: [() => Promise.reject(new Error('Not for you'))] }
      })

      await assert.rejects(signedIn(t, one), { message: 'Not for you' })
      assert.equal(one.client.get('authentication'), null)
      await assert.rejects(find(), { name: 'NotAuthenticated' })
    })

    for (const [what, react] of [
      ['signs out', () => one.client.logout()],
      ['signs in again', () => one.client.reAuthenticate()],
      ['forces a sign-in', () => one.client.reAuthenticate(true)],
      ['renews', () => one.authentication.renew()]
    ] as const) {
      describe(`where a hook ${what} on any 401`, () => {
        beforeEach(() => hookErrors(react))

        it('ends when nobody is signed in', async () => {
          await soon(find())
          await soon(one.client.reAuthenticate())
          await soon(one.client.logout())
          assert.ok(asked.length <= 6, String(asked))
        })

        it('ends when a sign-in is refused', async () => {
          assert.equal(
            await soon(one.client.authenticate({ strategy: 'local', email: 'x@example.com', password: 'y' })),
            'it threw'
          )
          assert.ok(asked.length <= 4, String(asked))
        })

        it('ends when a refresh is refused', async () => {
          const { person, login } = await signedIn(t, one)

          await person.ask('DELETE', `/sessions/${login.session.id}`)
          clock.advance(15 * minutes)
          asked = []
          assert.equal(await soon(find()), 'it threw')
          assert.equal(await soon(one.authentication.renew()), 'it threw')
          await until('the end', () => one.client.get('authentication') === null)
          assert.equal(one.heard('session-ended') + one.heard('logout'), 1, String(one.events))
          assert.ok(asked.length <= 8, String(asked))

          await soon(signedIn(t, one, person))
          assert.equal((await find()).length, 2)
        })

        it('ends when a stored session is refused at the start', async () => {
          const { person, login } = await signedIn(t, one)
          const { storage } = one

          await person.ask('DELETE', `/sessions/${login.session.id}`)
          one.close()
          one = connectTo(t.address, { options: { clock, storage } })
          hookErrors(react)
          assert.equal(await soon(one.client.reAuthenticate()), 'it threw')
          assert.equal(await soon(find()), 'it threw')
        })

        it('ends when a sign-out is refused', async () => {
          const { person, login } = await signedIn(t, one)

          if (name === 'rest-client') {
            await person.ask('DELETE', `/sessions/${login.session.id}`)
          }

          await soon(one.client.logout())
          assert.equal(one.client.get('authentication'), null)
        })
      })
    }
  })
}

describe('a hook after an authentication that calls a service, with a cookie', () => {
  it('gets its answer', async () => {
    const t = await startApp({ settings: { authentication: { 'refresh-token': { cookie: {} } } } })
    const browser = visitor()
    const storage = new MemoryStorage()
    const emails: string[] = []
    const open = () => {
      const one = restRefreshClient(t.address, {
        options: { clock: { now: () => t.clock.now }, cookie: true, storage },
        fetch: (url, options) => browser.ask(String(url), options)
      })

      // App-wide, as a logger's
      one.client.hooks({
        after: {
          all: [
            async ({ path, method }: { path: string; method: string }) => {
              if (path === 'authentication' && method === 'create') {
                emails.push((await one.client.service('users').find()).data[0].email)
              }
            }
          ]
        }
      } as never)
      return one
    }

    try {
      const one = open()
      const { person } = (await soon(signedIn(t, one))) as Awaited<ReturnType<typeof signedIn>>

      t.clock.advance(16 * minutes)
      assert.equal(((await soon(one.client.service('sessions').find())) as unknown[]).length, 2)
      assert.notEqual(await soon(open().client.reAuthenticate()), 'it threw')
      assert.deepEqual(emails, [person.email, person.email, person.email])
    } finally {
      await t.stop()
    }
  })
})

describe('a hook that signs in again on any 401, with a cookie', () => {
  it('ends', async () => {
    const t = await startApp({ settings: { authentication: { 'refresh-token': { cookie: {} } } } })
    const browser = visitor()
    let asked = 0
    const one = restRefreshClient(t.address, {
      options: { clock: { now: () => t.clock.now }, cookie: true },
      fetch: (url, options) => {
        asked++
        return browser.ask(String(url), options)
      }
    })

    try {
      one.client.hooks({
        error: {
          all: [
            async ({ error }: { error: { code: number } }) => {
              if (error.code === 401) {
                await one.client.reAuthenticate()
              }
            }
          ]
        }
      } as never)
      assert.equal(await soon(one.client.reAuthenticate()), 'it threw')
      assert.equal(await soon(one.client.service('sessions').find()), 'it threw')
      assert.ok(asked <= 4, `${asked} requests`)
      await soon(signedIn(t, one))
      assert.equal((await one.client.service('sessions').find()).length, 2)
    } finally {
      await t.stop()
    }
  })
})
