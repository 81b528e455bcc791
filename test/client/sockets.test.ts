import type { AuthenticationRequest } from '@feathersjs/authentication'
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { breakableNetwork, type BreakableNetwork } from '../support/breakable-network.js'
import { manualClock, type ManualClock } from '../support/manual-clock.js'
import { signedIn, socketRefreshClient, type RefreshClient } from '../support/refresh-clients.js'
import { atOnce } from '../support/rest.js'
import { until } from '../support/until.js'

const minutes = 60_000 // ms
const seconds = 1000 // ms

describe('RefreshTokenClient on a socket', () => {
  let t: TestApp
  let network: BreakableNetwork
  let clock: ManualClock
  let one: RefreshClient
  let created: string[]

  before(async () => {
    t = await startApp()
    network = await breakableNetwork(t.address)
    t.app.service('authentication').hooks({
      before: {
        create: [async (context) => void created.push((context.data as AuthenticationRequest).strategy!)]
      }
    })
  })
  beforeEach(() => {
    clock = manualClock(t.clock)
    one = socketRefreshClient(network.address, { options: { clock } })
    created = []
  })
  afterEach(() => {
    one.close()
    network.setDown(false)
  })
  after(async () => {
    await network.stop()
    await t.stop()
  })

  const find = () => one.client.service('sessions').find()
  const connected = (is = true) => until('the connection', () => one.client.io.connected === is)

  it('is signed in again, once, before the calls that waited for the connection', async () => {
    const { person } = await signedIn(t, one)
    const heard: unknown[] = []

    created = []

    one.client.service('sessions').on('created', (session) => heard.push(session))
    network.setDown(true)
    network.cut()
    await connected(false)

    const calls = atOnce(20, find)

    network.setDown(false)
    assert.ok((await calls).every((sessions) => sessions.length === 2))
    assert.deepEqual(created, ['jwt'])

    await person.signIn()
    await until('the event', () => heard.length > 0)
    assert.equal(heard.length, 1, 'it hears the events of the user again, once')
    assert.equal(one.heard('login'), 1)
  })

  it('is renewed when it reconnects after its token has expired', async () => {
    await signedIn(t, one)
    created = []
    network.setDown(true)
    network.cut()
    await connected(false)
    clock.advance(20 * minutes)
    network.setDown(false)
    assert.equal((await find()).length, 2)
    assert.deepEqual(created, ['refresh-token'])
    assert.equal(one.heard('session-ended'), 0)
  })

  it('reconnects when the service has disconnected it', async () => {
    await signedIn(t, one)
    t.app.io.disconnectSockets()
    await connected(false)
    clock.tick(1)
    assert.equal((await find()).length, 2)
  })

  it('reconnects more and more slowly when it is disconnected repeatedly', async () => {
    let connections = 0

    one.client.io.on('connect', () => {
      connections++
      setImmediate(() => t.app.io.disconnectSockets())
    })
    await until('the first connection', () => connections === 1)

    for (let second = 0; second < 60; second++) {
      clock.advance(seconds)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }

    assert.ok(connections >= 3 && connections <= 12, `${connections} connections in a minute`)
  })

  it('refreshes over the live socket before the service disconnects it', async () => {
    await signedIn(t, one)

    let ends = 0

    one.client.io.on('disconnect', () => ends++)

    let asked = 0

    one.client.service('authentication').hooks({ before: { create: [async () => void asked++] } })

    for (let round = 1; round <= 4; round++) {
      while (asked < round) {
        clock.advance(10 * seconds)
        await new Promise((resolve) => setImmediate(resolve))
      }

      await until('the refresh', () => one.heard('refreshed') === round)
    }

    assert.equal((await find()).length, 2)
    assert.equal(ends, 0)
  })

  it('hears why its session ended, and stays connected without it', async () => {
    const { person, login } = await signedIn(t, one)

    await person.ask('DELETE', `/sessions/${login.session.id}`)
    await until('the end', () => one.heard('session-ended') === 1)
    assert.deepEqual(one.events.at(-1), ['session-ended', 'revoked'])
    await connected(false)
    clock.tick(1)
    await assert.rejects(find(), { name: 'NotAuthenticated' })
    assert.equal((await one.client.service('content').get('public')).id, 'public')
    assert.equal(one.heard('session-ended'), 1)

    await signedIn(t, one, person)
    assert.equal((await find()).length, 2)
  })

  it('hears the reason that the service gives: a new password', async () => {
    const { person } = await signedIn(t, one)

    await person.ask('PATCH', `/users/${person.id}`, {
      body: { password: 'a quite different one', currentPassword: 'correct horse battery' }
    })
    await until('the end', () => one.heard('session-ended') === 1)
    assert.deepEqual(one.events.at(-1), ['session-ended', 'password'])
  })

  it('stays connected when it signs out, and then to the next user', async () => {
    await signedIn(t, one)

    const { id } = one.client.io

    await one.client.logout()
    await assert.rejects(find(), { name: 'NotAuthenticated' })

    const { person } = await signedIn(t, one)

    assert.equal((await one.client.service('users').get(person.id))._id, person.id)
    assert.equal(one.client.io.id, id)
  })

  it('lets a limited number of calls wait, each for a limited time', async () => {
    await signedIn(t, one)
    network.setDown(true)
    network.cut()
    await connected(false)

    const outcomes = Promise.allSettled(await Promise.resolve(Array.from({ length: 501 }, find)))
    const last = await Promise.race([
      find().catch((error) => error),
      new Promise((resolve) => setTimeout(() => resolve('waits'), 1000))
    ])

    assert.match(String(last), /Too many calls/)
    clock.tick(30 * seconds)

    const failed = (await outcomes).filter(({ status }) => status === 'rejected')

    assert.equal(failed.length, 501)
    network.setDown(false)
    assert.equal((await find()).length, 2)
  })

  it('leaves no listener behind for a call that waited in vain', async () => {
    await signedIn(t, one)
    network.setDown(true)
    network.cut()
    await connected(false)

    const before = one.client.io.listeners('connect').length

    for (let round = 0; round < 20; round++) {
      const call = find()

      call.catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, 1))
      clock.tick(30 * seconds)
      await assert.rejects(call, { name: 'Unavailable' })
    }

    assert.ok(one.client.io.listeners('connect').length <= before + 1)
  })

  it('is signed in as nobody after a delayed sign-out whose answer is lost', async () => {
    let removed = 0
    let isSilent = true

    t.app.service('authentication').hooks({
      before: {
        remove: [
          async () => {
            removed++

            if (isSilent) {
              await new Promise(() => {})
            }
          }
        ]
      }
    })
    await signedIn(t, one)

    const signOut = one.client.logout()

    signOut.catch(() => {})
    await until('the sign-out', () => removed === 1)
    clock.tick(20 * seconds)
    await assert.rejects(signOut, { name: 'Unavailable' })
    await connected()
    one.authentication.wake()
    await until('the delayed sign-out', () => removed === 2)

    const call = find()

    call.catch(() => {})
    clock.tick(20 * seconds)
    await assert.rejects(call, { name: 'NotAuthenticated' })
    assert.equal(one.client.get('authentication'), null)
    isSilent = false
  })

  describe('calls whose connection was lost before their answer came', () => {
    let calls: string[]

    before(() => {
      t.app.service('sessions').hooks({ before: { all: [async ({ method }) => void calls.push(method)] } })
    })
    beforeEach(() => {
      calls = []
    })
    afterEach(() => {
      network.decide = () => undefined
    })

    /** The next so many calls of the sessions lose their connection. */
    const lose = (count: number, what: 'before' | 'after') => {
      network.decide = (text) => (text.includes('"sessions"') && count-- > 0 ? what : undefined)
    }

    for (const what of ['before', 'after'] as const) {
      it(`are repeated if they change nothing (${what} the service has received them)`, async () => {
        const { login } = await signedIn(t, one)
        const heard = what === 'before' ? 1 : 2

        lose(1, what)
        assert.equal((await find()).length, 2)
        assert.deepEqual(calls, Array(heard).fill('find'))

        calls = []
        lose(1, what)
        assert.equal((await one.client.service('sessions').get(login.session.id)).id, login.session.id)
        assert.deepEqual(calls, Array(heard).fill('get'))
        assert.equal(one.heard('session-ended') + one.heard('logout'), 0)
      })
    }

    it('are repeated once, and then fail instead of waiting forever', async () => {
      await signedIn(t, one)
      lose(Infinity, 'after')
      await assert.rejects(find(), { name: 'Unavailable', message: /lost/ })
      assert.deepEqual(calls, ['find', 'find'])
      network.decide = () => undefined
      assert.equal((await find()).length, 2)
    })

    it('fail at once if they change something: only their caller knows whether to repeat them', async () => {
      const { login } = await signedIn(t, one)
      const { id } = login.session
      const sessions = one.client.service('sessions')

      for (const [method, call] of [
        ['patch', () => sessions.patch(id, { device: { name: 'Lost' } })],
        ['remove', () => sessions.remove(id)]
      ] as const) {
        await connected()
        calls = []
        lose(1, 'after')
        await assert.rejects(call(), { name: 'Unavailable', message: /lost/ })
        assert.deepEqual(calls, [method])
      }
    })

    it('fail at once if the app disconnects', async () => {
      await signedIn(t, one)
      network.decide = (text) => {
        if (text.includes('"sessions"')) {
          setImmediate(() => one.client.io.disconnect())
        }
      }
      await assert.rejects(find(), { name: 'Unavailable', message: /lost/ })
    })
  })
})

describe('a service that is restarted', () => {
  it('finds its clients signed in', async () => {
    const owner = await startApp()
    const database = new URL(owner.url).pathname.slice(1)
    const before = await startApp({ database })
    const settings = { port: Number(new URL(before.address).port) }
    const one = socketRefreshClient(before.address)
    const { login } = await signedIn(before, one)

    await before.stop()
    await until('the end of the connection', () => !one.client.io.connected)

    const call = one.client.service('sessions').find()
    const after = await startApp({ database, settings })

    try {
      assert.equal((await call).length, 2)
      assert.equal((await one.client.get('authentication')).session.id, login.session.id)
      assert.equal(one.heard('session-ended') + one.heard('logout'), 0)
    } finally {
      one.close()
      await after.stop()
      await owner.stop()
    }
  })
})
