import type { AuthenticationRequest } from '@feathersjs/authentication'
import { FeathersError, TooManyRequests, Unavailable } from '@feathersjs/errors'
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { manualClock, type ManualClock } from '../support/manual-clock.js'
import { refreshTransports, sessionItem, signedIn, type RefreshClient } from '../support/refresh-clients.js'
import { until } from '../support/until.js'

const minutes = 60_000 // ms
const seconds = 1000 // ms

for (const [name, connectTo] of Object.entries(refreshTransports)) {
  describe(`a refresh that fails, on the ${name}`, () => {
    let t: TestApp
    let clock: ManualClock
    let one: RefreshClient
    let answer: () => Promise<void> | void
    let asked: string[]

    before(async () => {
      t = await startApp()
      t.app.service('authentication').hooks({
        before: {
          create: [
            async (context) => {
              const { strategy, idempotencyKey } = context.data as AuthenticationRequest

              if (strategy === 'refresh-token') {
                asked.push(idempotencyKey)
                await answer()
              }
            }
          ]
        }
      })
    })
    beforeEach(async () => {
      clock = manualClock(t.clock)
      one = connectTo(t.address, { options: { clock } })
      asked = []
      answer = () => {}
    })
    afterEach(() => one.close())
    after(() => t.stop())

    const find = () => one.client.service('sessions').find()

    for (const [what, error] of [
      ['503', () => new Unavailable('Later')],
      ['500', () => new FeathersError('Broken', 'GeneralError', 500, 'general-error', {})],
      [
        '401 without a reason',
        () => new FeathersError('?', 'NotAuthenticated', 401, 'not-authenticated', {})
      ],
      ['403', () => new FeathersError('?', 'Forbidden', 403, 'forbidden', {})]
    ] as const) {
      it(`with a ${what} keeps the session, and tries again with the same key`, async () => {
        const { login } = await signedIn(t, one)
        const kept = await one.storage.getItem(sessionItem)

        answer = () => {
          throw error()
        }
        clock.advance(15 * minutes)
        await assert.rejects(find(), { code: error().code })
        await assert.rejects(find(), { code: error().code }, 'and each caller hears it')
        assert.equal(await one.storage.getItem(sessionItem), kept)
        assert.equal(one.heard('session-ended') + one.heard('logout'), 0)

        answer = () => {}
        assert.equal((await find()).length, 2)
        assert.equal((await one.client.get('authentication')).session.id, login.session.id)
        assert.equal(new Set(asked).size, 1)
      })
    }

    it('is retried in the background, more and more slowly', async () => {
      await signedIn(t, one)
      answer = () => {
        throw new Unavailable('Later')
      }
      clock.advance(14 * minutes)
      await until('the first attempt', () => asked.length === 1)

      const waits: number[] = []

      for (let attempt = 2; attempt <= 8; attempt++) {
        const since = t.clock.now

        await until(`attempt ${attempt}`, () => {
          clock.advance(seconds)
          return asked.length === attempt
        })
        waits.push(t.clock.now - since)
      }

      assert.ok(waits[0]! <= 3 * seconds && waits.at(-1)! >= 15 * seconds, String(waits))
      assert.ok(
        waits.every((wait) => wait <= 70 * seconds),
        String(waits)
      )

      answer = () => {}
      await until('the refresh', () => {
        clock.advance(seconds)
        return one.heard('refreshed') === 1
      })
    })

    it('is retried once a second at most, however often the app wakes', async () => {
      await signedIn(t, one)
      answer = () => {
        throw new Unavailable('Later')
      }
      clock.advance(15 * minutes)
      await assert.rejects(find(), { code: 503 })
      asked.length = 0

      for (let wakes = 0; wakes < 100; wakes++) {
        one.authentication.wake()
        clock.advance(20)
        await new Promise((resolve) => setImmediate(resolve))
      }

      assert.ok(asked.length >= 1 && asked.length <= 5, `${asked.length} attempts in 2 s`)
    })

    it('is made again at once if the app asks who is signed in, even during a pause', async () => {
      const { login } = await signedIn(t, one)

      answer = () => {
        throw new TooManyRequests('Too many', { retryAfter: 120 })
      }
      clock.advance(15 * minutes)
      await assert.rejects(find(), { code: 429 })
      answer = () => {}
      assert.equal((await one.client.reAuthenticate()).session.id, login.session.id)
      assert.equal(one.heard('refreshed'), 1)
    })

    it('waits for as long as the service says', async () => {
      await signedIn(t, one)
      answer = () => {
        throw new TooManyRequests('Too many', { retryAfter: 120 })
      }
      clock.advance(15 * minutes)
      await assert.rejects(find(), { code: 429 })

      for (let second = 0; second < 119; second += 7) {
        clock.advance(7 * seconds)
        one.authentication.wake()
        await assert.rejects(find(), { code: 429 })
      }
      assert.equal(asked.length, 1, 'nobody was asked meanwhile')

      answer = () => {}
      clock.advance(5 * seconds)
      assert.equal((await find()).length, 2)
      assert.equal(asked.length, 2)
    })

    it('without an answer is given up after 20 s, and repeated with the same key', async () => {
      await signedIn(t, one)
      clock.advance(15 * minutes)
      answer = () => new Promise(() => {})

      const call = find()

      await until('the request', () => asked.length === 1)
      clock.advance(20 * seconds)
      await assert.rejects(call, { name: 'Unavailable' })

      answer = () => {}
      assert.equal((await find()).length, 2)
      assert.equal(asked[1], asked[0])
      assert.equal(one.heard('session-ended'), 0)
    })

    it('at the start is retried later', async () => {
      const { login } = await signedIn(t, one)
      const { storage } = one

      one.close()
      one = connectTo(t.address, { options: { clock, storage } })
      answer = () => {
        throw new Unavailable('Later')
      }
      await assert.rejects(one.client.reAuthenticate(), { code: 503 })
      await assert.rejects(find(), { code: 503 })

      answer = () => {}
      await until('the login', () => {
        clock.advance(seconds)
        return one.heard('login') === 1
      })
      assert.equal((await one.client.get('authentication')).session.id, login.session.id)
    })

    it('uses a new key once an answer has come', async () => {
      await signedIn(t, one)

      for (let round = 1; round <= 3; round++) {
        clock.advance(16 * minutes)
        await find()
      }

      assert.equal(new Set(asked).size, asked.length)
      assert.ok(asked.length >= 3)
    })
  })

  describe(`a device asleep, on the ${name}`, () => {
    let t: TestApp
    let clock: ManualClock
    let one: RefreshClient

    before(async () => {
      t = await startApp()
      clock = manualClock(t.clock)
    })
    beforeEach(() => {
      one = connectTo(t.address, { options: { clock } })
    })
    afterEach(() => one.close())
    after(() => t.stop())

    it('is renewed before its token expires while it is awake', async () => {
      await signedIn(t, one)

      let asked = 0

      one.client.service('authentication').hooks({ before: { create: [async () => void asked++] } })

      for (let round = 1; round <= 4; round++) {
        const expiresAt = one.authentication.expiresAt!

        while (asked < round) {
          clock.advance(10 * seconds)
          await new Promise((resolve) => setImmediate(resolve))
        }

        await until('the refresh', () => one.heard('refreshed') === round)
        assert.ok(t.clock.now < expiresAt, 'before it expires')
        assert.ok(t.clock.now > expiresAt - 5 * minutes, 'and not much earlier')
        assert.ok(one.authentication.expiresAt! > expiresAt)
      }
    })

    for (const asleep of [1, 8, 24 * 7]) {
      it(`for ${asleep} h is signed in when it wakes, although no timer ran`, async () => {
        const { login } = await signedIn(t, one)

        clock.sleep(asleep * 60 * minutes)
        assert.equal((await one.client.service('sessions').find()).length, 2)
        assert.equal((await one.client.get('authentication')).session.id, login.session.id)

        // Nobody calls, but it is told that it is awake
        clock.sleep(asleep * 60 * minutes)
        one.authentication.wake()
        await until('the refresh', () => one.heard('refreshed') === 2)

        // Nobody tells, either: a timer looks at the clock
        clock.sleep(asleep * 60 * minutes)
        clock.tick(30 * seconds)
        await until('the refresh', () => one.heard('refreshed') === 3)
        assert.equal(one.heard('session-ended'), 0)
      })
    }
  })
}
