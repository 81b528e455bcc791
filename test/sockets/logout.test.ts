import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { caughtUp, heard, isConnected, isSignedIn, socketsOf } from '../support/live.js'
import { newPerson, stored } from '../support/people.js'

describe('logging out over a socket', () => {
  let t: TestApp
  const sockets = socketsOf(() => t.address)

  before(async () => {
    t = await startApp()
  })
  after(async () => {
    sockets.closeAll()
    await t.stop()
  })

  it('answers as stock Feathers does, and leaves the socket connected and signed out', async () => {
    const ada = await newPerson(t)
    const socket = await sockets.signedIn(ada)
    const { accessToken, user, authentication } = socket.login
    const answer = await socket.call('remove', 'authentication', null)

    assert.deepEqual(answer, {
      accessToken,
      user,
      authentication: { strategy: 'jwt', accessToken, payload: authentication.payload }
    })
    await caughtUp(socket)
    assert.equal(isConnected(socket), true)
    assert.equal(await isSignedIn(socket), false)
    await assert.rejects(socket.call('get', 'users', ada.id), { code: 401, name: 'NotAuthenticated' })
    await assert.rejects(socket.call('remove', 'authentication', null), { code: 401 })
    assert.deepEqual((await stored(t, ada.email)).sessions.length, 1, 'the session of the sign-up is left')
  })

  it('lets it sign in again', async () => {
    const ada = await newPerson(t)
    const socket = await sockets.signedIn(ada)

    await socket.call('remove', 'authentication', null)
    await socket.call('create', 'authentication', { strategy: 'jwt', accessToken: ada.accessToken })
    assert.equal(await isSignedIn(socket), true)
    await ada.signIn()
    await socket.next('sessions created')
  })

  it('receives no more events of the user', async () => {
    const ada = await newPerson(t)
    const [socket, other] = [await sockets.signedIn(ada), await sockets.ofSession(ada)]

    await socket.call('remove', 'authentication', null)
    socket.events.length = 0
    await ada.signIn()
    await other.next('sessions created')
    await caughtUp(socket)
    assert.deepEqual(socket.events, [])
  })

  it('tells and disconnects the other sockets of the session, and no others', async () => {
    const ada = await newPerson(t)
    const socket = await sockets.signedIn(ada)
    const sibling = await sockets.ofSession(socket.login)
    const other = await sockets.ofSession(ada)
    const { id } = socket.login.session

    await socket.call('remove', 'authentication', null)
    assert.equal(await sibling.disconnected(), 'io server disconnect')
    await caughtUp(other, socket)
    assert.deepEqual(
      heard(sibling, 'sessions removed').map(({ id, reason, current }) => ({ id, reason, current })),
      [{ id, reason: 'logout', current: true }]
    )
    assert.deepEqual(
      heard(other, 'sessions removed').map(({ id, reason, current }) => ({ id, reason, current })),
      [{ id, reason: 'logout', current: false }]
    )
    assert.equal(isConnected(other), true)
    assert.equal(isConnected(socket), true)
    assert.deepEqual(heard(socket, 'sessions removed'), [], 'it has the answer')
  })

  it('accepts no other id than the access token', async () => {
    const socket = await sockets.signedIn(await newPerson(t))

    await assert.rejects(socket.call('remove', 'authentication', 'another'), {
      code: 401,
      data: { reason: 'invalid' }
    })
    assert.equal(await isSignedIn(socket), true)
  })
})
