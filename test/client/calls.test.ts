import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import {
  refreshTransports,
  sessionItem,
  signedIn,
  type Connect,
  type RefreshClient
} from '../support/refresh-clients.js'
import { atOnce } from '../support/rest.js'
import { until } from '../support/until.js'

const minutes = 60_000 // ms

for (const [name, connectTo] of Object.entries(refreshTransports)) {
  describe(`RefreshTokenClient on the ${name}`, () => {
    let t: TestApp
    const open: RefreshClient[] = []

    before(async () => {
      t = await startApp()
    })
    afterEach(() => open.splice(0).forEach(({ close }) => close()))
    after(() => t.stop())

    const connect = (options = {}, between?: Connect['between']) => {
      const one = connectTo(t.address, {
        options: { clock: { now: () => t.clock.now }, ...options },
        between
      })

      open.push(one)
      return one
    }

    it('keeps the refresh token to itself', async () => {
      const one = connect()
      const { login, person } = await signedIn(t, one)
      const params: object[] = []

      one.client
        .service('sessions')
        .hooks({ before: { all: [async ({ params: p }) => void params.push(p)] } })
      await one.client.service('sessions').find()

      assert.ok(!('refreshToken' in login))
      assert.equal(login.user.email, person.email)
      assert.ok(!JSON.stringify([params, one.events]).includes('refreshToken'))
      assert.deepEqual(
        one.events.map(([name]) => name),
        ['login', 'authenticated']
      )

      const kept = await one.storage.getItem(sessionItem)

      assert.deepEqual(Object.keys(JSON.parse(kept)).sort(), ['key', 'refreshToken'])
      assert.equal(await one.storage.getItem('feathers-jwt'), undefined, 'the access token is in memory')
      assert.equal(
        one.authentication.expiresAt,
        login.authentication.payload.exp * 1000 + (one.authentication.expiresAt! % 1000)
      )
    })

    it('makes one refresh of 50 calls on an expired token, which all succeed', async () => {
      const one = connect()
      const { login } = await signedIn(t, one)

      t.clock.advance(15 * minutes)

      const answers = await atOnce(50, () => one.client.service('sessions').find())

      assert.ok(answers.every((sessions) => sessions.length === 2))
      assert.equal(one.heard('refreshed'), 1)
      assert.equal(one.heard('login'), 1)

      const { session, accessToken } = await one.client.get('authentication')

      assert.equal(session.id, login.session.id)
      assert.notEqual(accessToken, login.accessToken)
    })

    it('makes one refresh also if only the service knows that the token has expired', async () => {
      const one = connect({ clock: {} })

      await signedIn(t, one)
      t.clock.advance(15 * minutes)

      const answers = await atOnce(50, () => one.client.service('sessions').find())

      assert.ok(answers.every((sessions) => sessions.length === 2))
      assert.equal(one.heard('refreshed'), 1)
    })

    it('works for services that were registered before it', async () => {
      const heard: string[] = []
      const one = connect({}, (client) => {
        client.service('authentication')
        client.service('sessions').hooks({ error: { all: [async () => void heard.push('error')] } })
      })

      await signedIn(t, one)
      t.clock.advance(15 * minutes)
      assert.equal((await one.client.service('sessions').find()).length, 2)
      assert.equal(one.heard('refreshed'), 1)
      assert.deepEqual(heard, [])
    })

    it('renews on request: once for all simultaneous requests and calls', async () => {
      const one = connect()
      const { login } = await signedIn(t, one)
      const answers = await atOnce(5, () => one.authentication.renew())

      assert.equal(one.heard('refreshed'), 1)
      assert.equal(one.heard('login'), 1)
      assert.notEqual(answers[0]!.accessToken, login.accessToken)
      assert.equal(answers[0]!.session.id, login.session.id)
      assert.ok(!('refreshToken' in answers[0]!))
      assert.ok(answers.every((answer) => answer.accessToken === answers[0]!.accessToken))

      t.clock.advance(15 * minutes)

      const [sessions, answer] = await Promise.all([
        one.client.service('sessions').find(),
        one.authentication.renew()
      ])

      assert.equal(sessions.length, 2)
      assert.equal(one.heard('refreshed'), 2)
      assert.equal((await one.client.get('authentication')).accessToken, answer.accessToken)
    })

    it('says why a requested renewal failed', async () => {
      const one = connect()

      await assert.rejects(one.authentication.renew(), { name: 'NotAuthenticated' })
      assert.deepEqual(one.events, [])

      const { person, login } = await signedIn(t, one)

      await person.ask('DELETE', `/sessions/${login.session.id}`)
      await assert.rejects(one.authentication.renew(), { name: 'NotAuthenticated' })
      await until('the end', () => one.heard('session-ended') === 1)
      assert.equal(one.client.get('authentication'), null)
    })

    it('resumes after a restart of the app', async () => {
      const one = connect()
      const { login } = await signedIn(t, one)

      one.close()

      const again = connect({ storage: one.storage })
      const { user, session } = await again.client.reAuthenticate()

      assert.deepEqual(user, login.user)
      assert.equal(session.id, login.session.id)
      assert.equal((await again.client.service('sessions').find()).length, 2)
      assert.deepEqual(
        again.events.map(([name]) => name),
        ['login', 'authenticated']
      )
    })

    it('signs out, and in again', async () => {
      const one = connect()
      const { person } = await signedIn(t, one)

      await one.client.logout()
      assert.equal(await one.storage.getItem(sessionItem), undefined)
      assert.equal(one.heard('logout'), 1)
      assert.equal((await person.ask('GET', '/sessions')).body.length, 1)
      await assert.rejects(one.client.service('sessions').find(), { name: 'NotAuthenticated' })
      await assert.rejects(one.client.reAuthenticate(), { name: 'NotAuthenticated' })
      assert.equal(await one.client.logout(), null)

      await signedIn(t, one, person)
      assert.equal((await one.client.service('sessions').find()).length, 2)
      assert.equal(one.heard('session-ended'), 0)
    })

    it('hears once why its session has ended', async () => {
      const one = connect()
      const { person, login } = await signedIn(t, one)

      await person.ask('DELETE', `/sessions/${login.session.id}`)

      await Promise.allSettled(
        await atOnce(5, () =>
          one.client
            .service('sessions')
            .find()
            .catch(() => {})
        )
      )
      assert.deepEqual(
        one.events.filter(([name]) => name === 'session-ended'),
        [['session-ended', 'revoked']]
      )
      assert.equal(one.client.get('authentication'), null)
      assert.equal(await one.storage.getItem(sessionItem), undefined)
      assert.equal(one.heard('logout'), 0)

      await signedIn(t, one, person)
      assert.equal((await one.client.service('sessions').find()).length, 2)
    })
  })
}
