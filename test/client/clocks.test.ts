import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { manualClock } from '../support/manual-clock.js'
import {
  refreshTransports,
  restRefreshClient,
  signedIn,
  type RefreshClient
} from '../support/refresh-clients.js'
import { visitor } from '../support/visitor.js'
import { until } from '../support/until.js'

const minutes = 60_000 // ms
const hours = 60 * minutes

/** The answer to a token of two hours from now. */
const tooEarly = ({ code, data }: { code: number; data: { reason: string; retryAfter: number } }) =>
  code === 401 && data.reason === 'invalid' && Math.abs(data.retryAfter - 2 * 3600 + 60) < 10

for (const [name, connectTo] of Object.entries(refreshTransports)) {
  describe(`wrong clocks, on the ${name}`, () => {
    let t: TestApp
    let offset: number // of the client's clock to the service's, ms
    let asked: number
    let isDown: boolean
    let one: RefreshClient

    before(async () => {
      t = await startApp()
      t.app.service('authentication').hooks({
        before: {
          create: [
            async ({ data }) => {
              if ((data as { strategy?: string }).strategy === 'refresh-token') {
                asked++

                if (isDown) {
                  throw new Error('Down')
                }
              }
            }
          ]
        }
      })
    })
    beforeEach(() => {
      offset = 0
      asked = 0
      isDown = false

      const clock = manualClock(t.clock)

      one = connectTo(t.address, { options: { clock: { ...clock, now: () => t.clock.now + offset } } })
    })
    afterEach(() => one.close())
    after(() => t.stop())

    const find = () => one.client.service('sessions').find()

    for (const ahead of [-26 * hours, -2 * hours, 2 * hours, 26 * hours, 20_000 * 24 * hours]) {
      it(`at the sign-in, by ${ahead / hours} h, change nothing`, async () => {
        offset = ahead
        await signedIn(t, one)
        await find()
        await find()
        assert.equal(asked, 0, 'the token is good')
        assert.equal(
          Math.round((one.authentication.expiresAt! - t.clock.now - ahead) / minutes),
          15,
          'by the clock of the device'
        )
        t.clock.advance(15 * minutes)
        assert.equal((await find()).length, 2)
        assert.equal(asked, 1)
      })

      it(`that are set by ${ahead / hours} h while the app runs cost at most one refresh`, async () => {
        await signedIn(t, one)
        offset = ahead
        await find()
        await find()
        assert.equal(asked, ahead > 0 ? 1 : 0)
        offset = 0
        await find()
        t.clock.advance(15 * minutes)
        assert.equal((await find()).length, 2)
        assert.ok(asked <= 2, String(asked))
        assert.equal(one.heard('session-ended') + one.heard('logout'), 0)
      })
    }

    it('that are set back after a failure block nobody', async () => {
      await signedIn(t, one)
      t.clock.advance(15 * minutes)
      isDown = true
      await assert.rejects(find())
      isDown = false
      offset = -5 * hours
      assert.equal((await find()).length, 2)
    })

    it('that are set during sleep are noticed at the next refusal', async () => {
      await signedIn(t, one)
      // It slept for an hour, and was then set back by that
      t.clock.advance(hours)
      offset = -hours
      assert.equal((await find()).length, 2)
      assert.equal(asked, 1)
    })
  })

  describe(`a service set back by 2 h, on the ${name}`, () => {
    it('ends no session: its tokens are valid again when their time has come', async () => {
      const t = await startApp()
      const clock = manualClock(t.clock)
      let elapsed = 0
      const one = connectTo(t.address, { options: { clock: { ...clock, now: () => elapsed } } })

      try {
        const { login } = await signedIn(t, one)

        t.clock.now -= 2 * hours
        await assert.rejects(one.client.service('sessions').find(), { code: 401 })
        await assert.rejects(one.authentication.renew(), tooEarly)
        elapsed += hours
        clock.advance(hours)
        await assert.rejects(one.client.service('sessions').find(), { code: 401 })
        assert.equal(one.heard('session-ended') + one.heard('logout'), 0)
        elapsed += hours
        clock.advance(hours)
        await until('the refresh', () => one.heard('refreshed') === 1)
        assert.equal((await one.client.service('sessions').find()).length, 2)
        assert.equal((await one.client.get('authentication')).session.id, login.session.id)
      } finally {
        one.close()
        await t.stop()
      }
    })
  })
}

describe('a service set back by 2 h, with a cookie', () => {
  it('leaves the cookie where it is', async () => {
    const t = await startApp({ settings: { authentication: { 'refresh-token': { cookie: {} } } } })
    const browser = visitor()
    const one = restRefreshClient(t.address, {
      options: { clock: { now: () => t.clock.now }, cookie: true },
      fetch: (url, options) => browser.ask(String(url), options)
    })

    try {
      await signedIn(t, one)
      t.clock.now -= 2 * hours
      await assert.rejects(one.authentication.renew(), tooEarly)
      assert.equal(one.heard('session-ended'), 0)
      t.clock.now += 2 * hours
      await one.authentication.renew()
      assert.equal((await one.client.service('sessions').find()).length, 2)
    } finally {
      await t.stop()
    }
  })
})
