import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { breakableNetwork, seeded, type BreakableNetwork } from '../support/breakable-network.js'
import { refreshTransports, signedIn, type RefreshClient } from '../support/refresh-clients.js'

const minutes = 60_000 // ms

describe('a network that loses requests and answers at random', () => {
  let t: TestApp
  let network: BreakableNetwork

  before(async () => {
    t = await startApp()
    network = await breakableNetwork(t.address)
  })
  after(async () => {
    await network.stop()
    await t.stop()
  })

  let die = () => {}

  /** A clock whose timers end with the app. */
  const mortal = () => {
    let isDead = false

    die = () => (isDead = true)
    return {
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
      const first: RefreshClient = connectTo(network.address, { options: { clock: mortal() } })
      const { login } = await signedIn(t, first)
      const { storage } = first
      let one = first
      let kill = die
      let failed = 0
      let killed = 0
      let ended = 0

      network.lost = 0
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
            kill()
            one = connectTo(network.address, { options: { storage, clock: mortal() } })
            kill = die
            await one.client.reAuthenticate().catch(() => failed++)
          }
        }
      }

      network.decide = () => undefined

      const { session } = await one.client.get('authentication')

      one.close()
      assert.equal(session.id, login.session.id)
      assert.equal(ended + one.heard('session-ended') + one.heard('logout'), 0)
      assert.ok(
        network.lost > times / 5 && failed > times / 10 && killed > times / 100,
        `${network.lost} lost, ${failed} failed, ${killed} killed`
      )
    })
  }
})
