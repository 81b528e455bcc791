import { authenticate } from '@feathersjs/authentication'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Application } from '../../src/declarations.js'
import { requireRecent } from '../../src/refresh-token/index.js'
import { startApp, type TestApp } from '../support/app.js'
import { enrol, withFactors } from '../support/factors.js'
import { manualClock } from '../support/manual-clock.js'
import { refreshTransports, signedIn, type RefreshClient } from '../support/refresh-clients.js'
import { password } from '../support/rest.js'
import { until } from '../support/until.js'

const minute = 60_000 // ms

function configure(app: Application) {
  const services = app as never as {
    use(path: string, service: object): void
    service(path: string): { hooks(hooks: object): void }
  }

  services.use('vault', { find: async () => ['gold'] })
  services
    .service('vault')
    .hooks({ around: { find: [authenticate('jwt'), requireRecent({ within: '5m' })] } })
}

for (const [name, connect] of Object.entries(refreshTransports)) {
  describe(`RefreshTokenClient and factors, over ${name}`, () => {
    let t: TestApp

    before(async () => {
      t = await startApp({ settings: withFactors(), configure })
    })
    after(async () => {
      opened.forEach((one) => one.close())
      await t.stop()
    })

    const opened: RefreshClient[] = []
    const open = () => {
      const clock = manualClock(t.clock)
      const one = connect(t.address, { options: { clock } })

      opened.push(one)
      return { clock, one }
    }

    it('hears what a call asks for, steps up, and goes on with the same session', async () => {
      const { clock, one } = open()
      const { person, login } = await signedIn(t, one)
      const find = () => one.client.service('vault').find()

      clock.advance(6 * minute)
      await assert.rejects(find(), { code: 401 })
      assert.deepEqual(one.events.at(-1), ['step-up', { reason: 'step-up', within: 300, factors: [] }])
      assert.equal(one.heard('session-ended'), 0)

      const answer = await one.client.authenticate({
        strategy: 'local',
        email: person.email,
        password,
        stepUp: true
      })

      assert.equal(answer.session.id, login.session.id)
      assert.deepEqual(await find(), ['gold'])
      assert.equal(one.heard('login'), 1)
      assert.ok(one.heard('refreshed') >= 1)

      clock.advance(14 * minute) // tokens are renewed after 13.5 at the latest
      await until('the renewal', () => one.heard('refreshed') >= 2)
      // With that of newPerson
      assert.equal((await one.client.service('sessions').find()).length, 2)
      assert.equal((await one.client.get('authentication'))!.session.id, login.session.id)
    })

    it('ends and renews no session when the service asks for a factor', async () => {
      const { clock, one } = open()
      const { person, login } = await signedIn(t, one)
      const { app } = await enrol(t, person, login.accessToken)
      const asked = await one.client
        .authenticate({ strategy: 'local', email: person.email, password })
        .catch((error) => error)

      clock.advance(0)
      assert.equal(asked.data.reason, 'factor')
      assert.equal(one.heard('session-ended') + one.heard('refreshed') + one.heard('logout'), 0)
      assert.equal((await one.client.service('sessions').find())[0].id, login.session.id)

      const answer = await one.client.authenticate({
        strategy: 'totp',
        challenge: asked.data.challenge,
        code: app.next()
      })

      assert.notEqual(answer.session.id, login.session.id)
      assert.equal(one.heard('login'), 2)
    })

    it('leaves all as it was when a step-up is refused', async () => {
      const { one } = open()
      const { person, login } = await signedIn(t, one)

      await assert.rejects(
        one.client.authenticate({ strategy: 'local', email: person.email, password: 'wrong', stepUp: true }),
        { code: 401 }
      )
      assert.equal((await one.client.get('authentication'))!.accessToken, login.accessToken)
      assert.equal(one.heard('session-ended') + one.heard('refreshed'), 0)
      assert.equal((await one.client.service('sessions').find()).length, 2)
    })
  })
}
