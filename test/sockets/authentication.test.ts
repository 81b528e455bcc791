import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { caughtUp, isConnected, isSignedIn, socketsOf } from '../support/live.js'
import { newPerson, stored } from '../support/people.js'
import { restClient } from '../support/rest.js'

describe('authentication over a socket', () => {
  let t: TestApp
  const sockets = socketsOf(() => t.address)

  before(async () => {
    t = await startApp()
  })
  after(async () => {
    sockets.closeAll()
    await t.stop()
  })

  it('signs the connection in, with the same answer as over REST', async () => {
    const ada = await newPerson(t)
    const { body } = await restClient(t.address).signIn(ada.email)
    const socket = await sockets.signedIn(ada, { device: { id: 'laptop', name: 'Laptop' } })
    const { login } = socket

    assert.deepEqual(Object.keys(login).sort(), Object.keys(body).sort())
    assert.deepEqual(login.user, body.user)
    assert.equal(login.session.current, true)
    assert.equal(login.session.device.id, 'laptop')
    assert.equal(typeof login.session.device.ip, 'string')

    const sessions = await socket.call('find', 'sessions')

    assert.deepEqual(
      sessions.filter(({ current }: { current: boolean }) => current),
      [login.session]
    )
  })

  it('works over long polling', async () => {
    const ada = await newPerson(t)
    const socket = await sockets.anonymous({}, { transports: ['polling'] })
    const { refreshToken } = await socket.call('create', 'authentication', {
      strategy: 'local',
      email: ada.email,
      password: 'correct horse battery'
    })

    await socket.call('create', 'authentication', { strategy: 'refresh-token', refreshToken })
    assert.equal(socket.socket.io.engine.transport.name, 'polling')
    assert.equal(await isSignedIn(socket), true)
    await ada.ask('DELETE', '/sessions')
    assert.equal((await socket.next('sessions removed')).reason, 'revoked')
    assert.equal(await socket.disconnected(), 'io server disconnect')
  })

  it('refreshes: another connection can be signed in with a refresh token alone', async () => {
    const { id, refreshToken, session } = await newPerson(t)
    const socket = await sockets.anonymous()
    const answer = await socket.call('create', 'authentication', { strategy: 'refresh-token', refreshToken })

    assert.equal(answer.user._id, id)
    assert.equal(answer.session.id, session.id)
    assert.notEqual(answer.refreshToken, refreshToken)
    assert.equal(await isSignedIn(socket), true)
  })

  it('takes an access token, and gives no refresh token for it', async () => {
    const { id, accessToken } = await newPerson(t)
    const { login } = await sockets.ofSession({ accessToken })

    assert.equal(login.accessToken, accessToken)
    assert.equal(login.user._id, id)
    assert.deepEqual(Object.keys(login).sort(), ['accessToken', 'authentication', 'user'])
  })

  it('stays with the first user when signing in as another one fails', async () => {
    const socket = await sockets.signedIn(await newPerson(t))

    await assert.rejects(
      socket.call('create', 'authentication', {
        strategy: 'local',
        email: 'nobody@example.com',
        password: 'x'
      }),
      { code: 401, name: 'NotAuthenticated' }
    )
    assert.equal(await isSignedIn(socket), true)
  })

  it('leaves nothing of the first user when another one signs in', async () => {
    const [ada, bob] = [await newPerson(t, 'admin'), await newPerson(t)]
    const socket = await sockets.signedIn(ada)
    const adas = await sockets.ofSession(ada)
    const { refreshToken } = bob

    await socket.call('create', 'authentication', { strategy: 'refresh-token', refreshToken })
    socket.events.length = 0
    await ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })
    await ada.signIn()
    await newPerson(t)
    await adas.next('sessions created')
    await caughtUp(socket)
    assert.deepEqual(socket.events, [], 'events of the first user')

    const sessions = await socket.call('find', 'sessions')

    assert.deepEqual(
      sessions.map(({ id }: { id: string }) => id),
      [bob.session.id]
    )
    await assert.rejects(socket.call('get', 'content', 'admin'), { code: 403 })

    await ada.ask('DELETE', '/sessions')
    await adas.disconnected()
    await caughtUp(socket)
    assert.equal(isConnected(socket), true, "the end of the first user's session is none of its business")

    await bob.ask('DELETE', '/authentication')
    assert.equal((await socket.next('sessions removed')).reason, 'logout')
    assert.equal(await socket.disconnected(), 'io server disconnect')
  })

  it('stays connected when its device signs in again and replaces its own session', async () => {
    const ada = await newPerson(t)
    const device = { id: 'laptop' }
    const socket = await sockets.signedIn(ada, { device })
    const again = await socket.call('create', 'authentication', {
      strategy: 'local',
      email: ada.email,
      password: 'correct horse battery',
      device
    })

    assert.notEqual(again.session.id, socket.login.session.id)
    await caughtUp(socket)
    await caughtUp(socket)
    assert.equal(isConnected(socket), true)
    assert.equal(await isSignedIn(socket), true)
  })

  it('keeps no password and no sessions of the user on the connection', async () => {
    const ada = await newPerson(t)
    const { password } = await stored(t, ada.email)

    await sockets.signedIn(ada)
    await ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })

    const { connections } = t.app.channel(`users/${ada.id}`)

    assert.equal(connections.length, 1)
    assert.equal(connections[0]!.user.name, 'Ada')
    assert.ok(!JSON.stringify(connections).includes(password))
    assert.ok(!('sessions' in connections[0]!.user))
  })
})
