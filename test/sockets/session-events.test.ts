import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { caughtUp, heard, socketsOf, type SignedInSocket } from '../support/live.js'
import { newPerson, type Person } from '../support/people.js'
import { restClient } from '../support/rest.js'
import type { TestSocket } from '../support/socket.js'

describe('sessions events', () => {
  let t: TestApp
  let ada: Person
  /** A socket of Ada's first session, one of her second, and those that none of it concerns. */
  let first: SignedInSocket, second: SignedInSocket
  let outsiders: TestSocket[]
  const sockets = socketsOf(() => t.address)

  before(async () => {
    t = await startApp()

    const [bob, admin] = [await newPerson(t), await newPerson(t, 'admin')]

    outsiders = [await sockets.signedIn(bob), await sockets.signedIn(admin), await sockets.anonymous()]
    ada = await newPerson(t)
    first = await sockets.ofSession(ada)
    second = await sockets.signedIn(ada)
  })
  beforeEach(async () => {
    await caughtUp(first, second, ...outsiders)
    ;[first, second, ...outsiders].forEach(({ events }) => events.splice(0))
  })
  after(async () => {
    sockets.closeAll()
    await t.stop()
  })

  /** All that the sockets heard: Ada's first, her second, the outsiders. */
  const allHeard = async () => {
    await caughtUp(first, second, ...outsiders)
    return [first.events, second.events, outsiders.flatMap(({ events }) => events)]
  }

  it('emits `created` to all sockets of the user, once, and to nobody else', async () => {
    const { session } = await ada.signIn({ device: { id: 'tablet', name: 'Tablet' } })
    const event = ['sessions created', { ...session, current: false }]

    assert.deepEqual(await allHeard(), [[event], [event], []])
  })

  it('emits `created` for a sign-in over another socket', async () => {
    const { login } = await sockets.signedIn(ada)
    const event = ['sessions created', { ...login.session, current: false }]

    assert.deepEqual(await allHeard(), [[event], [event], []])
  })

  it('emits nothing for a failed sign-in', async () => {
    await restClient(t.address).signIn(ada.email, { password: 'wrong horse battery' })
    assert.deepEqual(await allHeard(), [[], [], []])
  })

  it('emits `patched` for a renaming, with `current` as seen by the receiver', async () => {
    const id = first.login.authentication.payload.sid
    const { body } = await ada.ask('PATCH', `/sessions/${id}`, { body: { device: { name: 'Laptop' } } })

    assert.equal(body.device.name, 'Laptop')
    assert.deepEqual(await allHeard(), [
      [['sessions patched', { ...body, current: true }]],
      [['sessions patched', { ...body, current: false }]],
      []
    ])
  })

  it('emits `patched` for a renaming over a socket, and by an admin', async () => {
    const { id } = second.login.session
    const [, admin] = outsiders
    const device = { name: 'Phone' }

    await first.call('patch', 'sessions', id, { device })
    await admin!.call('patch', 'sessions', id, { device }, { userId: ada.id })

    const [firsts, seconds, others] = await allHeard()
    const seen = (current: boolean) => [
      ['sessions patched', id, current],
      ['sessions patched', id, current]
    ]

    assert.deepEqual(firsts!.map(summary), seen(false))
    assert.deepEqual(seconds!.map(summary), seen(true))
    assert.deepEqual(others, [])
  })

  it('emits `patched` for a refresh, and nothing for its repeat', async () => {
    const { refreshToken } = second.login
    const { refresh } = restClient(t.address)

    t.clock.advance(1000)

    const { body } = await refresh(refreshToken)
    const { id, refreshedAt } = body.session
    const event = (current: boolean) => ['sessions patched', { ...body.session, current }]

    assert.equal(id, second.login.session.id)
    assert.equal(refreshedAt, new Date(t.clock.now).toISOString())
    assert.deepEqual(await allHeard(), [[event(false)], [event(true)], []])

    assert.equal((await refresh(refreshToken)).status, 201)
    assert.equal((await refresh(refreshToken, { idempotencyKey: 'another' })).status, 201)
    assert.deepEqual(await allHeard(), [[event(false)], [event(true)], []])
  })

  it('emits `patched` for a refresh over a socket', async () => {
    const { login } = await sockets.signedIn(ada)
    const { refreshToken } = login

    await first.next('sessions created')
    await second.call('create', 'authentication', { strategy: 'refresh-token', refreshToken })
    await first.next('sessions patched')
    await caughtUp(first)
    assert.equal(heard(first, 'sessions patched').length, 1)
    assert.equal(heard(first, 'sessions patched')[0].id, login.session.id)
    assert.deepEqual(
      outsiders.flatMap(({ events }) => events),
      []
    )
  })

  it('keeps no channel for users without a socket', async () => {
    const channels = t.app.channels.length

    for (let times = 0; times < 5; times++) {
      await (await newPerson(t)).signIn()
    }

    assert.equal(t.app.channels.length, channels)
  })
})

const summary = ([name, { id, current }]: TestSocket['events'][number]) => [name, id, current]
