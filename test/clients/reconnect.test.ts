import { NotAuthenticated } from '@feathersjs/errors'
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import type { Socket } from 'socket.io'
import { startApp, type TestApp } from '../support/app.js'
import { refused, socketClient, storageKey, type OfficialClient } from '../support/clients.js'
import { newPerson } from '../support/people.js'
import { password } from '../support/rest.js'
import { poll } from '../support/socket.js'

describe('the official socketio-client, when its connection ends', () => {
  let t: TestApp
  let open: OfficialClient | undefined

  before(async () => {
    t = await startApp({ settings: { authentication: { jwtOptions: { expiresIn: '2s' } } } })
  })
  afterEach(() => open?.close())
  after(() => t.stop())

  /** A client that has signed in, and how its connections ended so far. */
  const signedIn = async () => {
    const person = await newPerson(t)
    const { client, storage } = (open = socketClient(t.address))
    const login = await client.authenticate({ strategy: 'local', email: person.email, password })
    const ends: string[] = []
    const ended = (count = 1) => poll(() => ends.length === count, `${count} disconnections`)

    client.io.on('disconnect', (reason: string) => ends.push(reason))
    return { client, storage, login, person, ends, ended }
  }

  it('is signed in again by itself after the network was lost', async () => {
    const { client, login, person, ends, ended } = await signedIn()

    t.app.io.sockets.sockets.forEach(({ conn }: Socket) => conn.close(true))
    await ended()
    assert.deepEqual(ends, ['transport close'])
    await poll(() => client.io.connected, 'the connection')

    const { accessToken } = await client.get('authentication')

    assert.equal(accessToken, login.accessToken)
    assert.equal((await client.service('sessions').find()).length, 2)

    const created = new Promise<{ id: string }>((resolve) =>
      client.service('sessions').once('created', resolve)
    )
    const { session } = await person.signIn()

    assert.equal((await created).id, session.id, 'it hears the events of the user again')
  })

  it('is signed in again when it connects after the service disconnected it', async () => {
    const { client, login, ends, ended } = await signedIn()

    // As at a restart of the service
    t.app.io.disconnectSockets()
    await ended()
    assert.deepEqual(ends, ['io server disconnect'])
    client.io.connect()

    const { accessToken, user } = await client.get('authentication')

    assert.equal(accessToken, login.accessToken)
    assert.deepEqual(user, login.user)
    assert.equal((await client.service('sessions').find()).length, 2)
  })

  it('refreshes when it connects after the access token has expired', async () => {
    const { client, login, storage, ends, ended } = await signedIn()
    const { refreshToken } = login

    t.clock.advance(2000)
    await ended()
    assert.deepEqual(ends, ['io server disconnect'])
    client.io.connect()
    await assert.rejects(client.get('authentication'), refused('expired'))

    const answer = await client.authenticate({ strategy: 'refresh-token', refreshToken })

    assert.equal(answer.session.id, login.session.id)
    assert.equal(await storage.getItem(storageKey), answer.accessToken)
    assert.equal((await client.service('sessions').find()).length, 2)
  })

  it('hears why its session ended, and is refused with that token from then on', async () => {
    const { client, login, storage, person, ended } = await signedIn()
    const removed = new Promise<unknown>((resolve) => client.service('sessions').once('removed', resolve))

    await person.ask('DELETE', `/sessions/${login.session.id}`)
    assert.deepEqual(await removed, { ...login.session, reason: 'revoked', current: true })
    await ended()
    client.io.connect()
    await assert.rejects(client.get('authentication'), refused('revoked'))
    assert.equal(await storage.getItem(storageKey), undefined)
    await assert.rejects(client.service('sessions').find(), NotAuthenticated)

    const { email } = person

    await client.authenticate({ strategy: 'local', email, password })
    assert.equal((await client.service('sessions').find()).length, 2)
  })

  it('stays connected over its own logout', async () => {
    const { client, ends, person } = await signedIn()

    await client.logout()
    await client.authenticate({ strategy: 'local', email: person.email, password })
    assert.equal((await client.service('sessions').find()).length, 2)
    assert.deepEqual(ends, [])
  })
})
