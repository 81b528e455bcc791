import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { startApp, type TestApp } from '../support/app.js'
import { heard, isConnected, isSignedIn, socketsOf } from '../support/live.js'
import { newPerson } from '../support/people.js'
import { atOnce } from '../support/rest.js'

describe('the lifetime of a connection', () => {
  let t: TestApp
  const sockets = socketsOf(() => t.address)

  before(async () => {
    t = await startApp({
      settings: { authentication: { jwtOptions: { expiresIn: '2s' }, 'refresh-token': { expiresIn: '4s' } } }
    })
  })
  beforeEach(() => {
    // Tokens count in whole seconds
    t.clock.advance(1000 - (t.clock.now % 1000))
  })
  after(async () => {
    sockets.closeAll()
    await t.stop()
  })

  it('ends with the access token', async () => {
    const ada = await newPerson(t)
    const [socket, handshaken] = [
      await sockets.ofSession(ada),
      await sockets.anonymous({ Authorization: `Bearer ${ada.accessToken}` })
    ]

    t.clock.advance(1999)
    assert.equal(await isSignedIn(socket), true)
    t.clock.advance(1)
    assert.equal(await socket.disconnected(), 'io server disconnect')
    assert.equal(await handshaken.disconnected(), 'io server disconnect')
    assert.deepEqual(socket.events, [], 'the session lives on: nothing to tell')
  })

  it('continues with a new access token when it refreshes in time', async () => {
    const ada = await newPerson(t)
    const socket = await sockets.signedIn(ada)
    const { refreshToken } = socket.login
    // Its timer starts after the one of the first, and with the same time to go
    const sleeping = await sockets.ofSession(socket.login)

    t.clock.advance(1500)
    await socket.call('create', 'authentication', { strategy: 'refresh-token', refreshToken })
    t.clock.advance(1000)
    assert.equal(await sleeping.disconnected(), 'io server disconnect')
    assert.equal(isConnected(socket), true)
    assert.equal(await isSignedIn(socket), true)

    t.clock.advance(1000)
    assert.equal(await socket.disconnected(), 'io server disconnect')
  })

  it('continues with a new access token that another connection got', async () => {
    const ada = await newPerson(t)
    const socket = await sockets.ofSession(ada)
    const sleeping = await sockets.ofSession(ada)

    t.clock.advance(1500)

    const { accessToken } = await ada.signIn()

    await socket.call('create', 'authentication', { strategy: 'jwt', accessToken })
    t.clock.advance(1000)
    await sleeping.disconnected()
    assert.equal(isConnected(socket), true)
    assert.equal(await isSignedIn(socket), true)
  })

  it('does not outlast a signed-out connection: that one stays', async () => {
    const ada = await newPerson(t)
    const socket = await sockets.signedIn(ada)
    const sleeping = await sockets.ofSession(ada)

    await socket.call('remove', 'authentication', null)
    t.clock.advance(2000)
    await sleeping.disconnected()
    assert.equal(isConnected(socket), true)
    assert.equal(await isSignedIn(socket), false)
  })

  it('continues when the refresh comes as the access token expires', async () => {
    const people = await atOnce(20, () => newPerson(t))
    const started = Date.now()
    const all = await Promise.all(people.map((ada) => sockets.ofSession(ada)))

    // All timers are about to fire, and find the token expired
    await delay(1950 - (Date.now() - started))
    t.clock.advance(2000)

    const refreshed = await Promise.all(
      people.map(async ({ refreshToken }, index) => {
        await delay(index * 5)
        return all[index]!.call('create', 'authentication', { strategy: 'refresh-token', refreshToken }).then(
          () => true,
          () => false
        )
      })
    )

    await delay(200)
    // Whoever was answered stays, and all others are gone
    assert.deepEqual(all.map(isConnected), refreshed)
  })

  it('ends with its session, and says so to the sockets of the user', async () => {
    const ada = await newPerson(t)
    const socket = await sockets.ofSession(ada)

    t.clock.advance(3000)

    const other = await sockets.signedIn(ada)

    t.clock.advance(1000)
    assert.equal(await socket.disconnected(), 'io server disconnect')
    assert.equal((await other.next('sessions removed')).reason, 'expired')
    assert.deepEqual(
      [heard(socket, 'sessions removed'), heard(other, 'sessions removed')].map((events) =>
        events.map(({ id, reason, current }) => ({ id, reason, current }))
      ),
      [
        [{ id: ada.session.id, reason: 'expired', current: true }],
        [{ id: ada.session.id, reason: 'expired', current: false }]
      ]
    )
    assert.equal(isConnected(other), true)
  })
})
