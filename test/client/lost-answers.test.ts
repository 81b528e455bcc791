import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { breakableNetwork, seeded } from '../support/breakable-network.js'
import { refreshTransports, signedIn } from '../support/refresh-clients.js'

const minutes = 60_000 // ms

describe('a network that loses requests and answers at random', { concurrency: true }, () => {
  /** A clock whose timers end with the app. */
  const mortal = (t: TestApp) => {
    let isDead = false

    return {
      die: () => (isDead = true),
      now: () => t.clock.now,
      setTimeout: (work: () => void, delay: number) => setTimeout(() => isDead || work(), delay)
    }
  }

  for (const [name, times] of [
    ['rest-client', 1000],
    ['socketio-client', 400]
  ] as const) {
    it(`costs no session in ${times} refreshes on the ${name}`, async () => {
      const connectTo = refreshTransports[name]
      const random = seeded(name.length)
      // Of its own, since the clock is moved
      const t = await startApp()
      const network = await breakableNetwork(t.address)
      let clock = mortal(t)
      let one = connectTo(network.address, { options: { clock } })
      const { login } = await signedIn(t, one)
      const { storage } = one
      let failed = 0
      let killed = 0
      let ended = 0

      network.decide = (text) =>
        /"strategy":"refresh-token"/.test(text) && random() < 0.3
          ? random() < 0.5
            ? 'before'
            : 'after'
          : undefined

      for (let refreshes = 0; refreshes < times; refreshes++) {
        // Longer than the leeway: only the idempotency key tells a repetition from a theft
        t.clock.advance(15 * minutes)

        for (;;) {
          try {
            await one.client.service('health').find()
            break
          } catch (error) {
            failed++
            assert.notEqual((error as { code?: number }).code, 401, String(error))
            t.clock.advance(random() * 60 * minutes)
          }

          // The app is killed now and then, and knows no more than what it kept
          if (random() < 0.2) {
            killed++
            ended += one.heard('session-ended') + one.heard('logout')
            one.close()
            clock.die()
            clock = mortal(t)
            one = connectTo(network.address, { options: { storage, clock } })
            await one.client.reAuthenticate().catch(() => failed++)
          }
        }
      }

      network.decide = () => undefined

      const { session } = await one.client.get('authentication')

      one.close()
      await network.stop()
      await t.stop()
      assert.equal(session.id, login.session.id)
      assert.equal(ended + one.heard('session-ended') + one.heard('logout'), 0)
      assert.ok(
        network.lost > times / 5 && failed > times / 10 && killed > times / 100,
        `${network.lost} lost, ${failed} failed, ${killed} killed`
      )
    })
  }
})
