import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import {
  caughtUp,
  disconnectedInTime,
  heard,
  isConnected,
  socketsOf,
  type SignedInSocket
} from '../support/live.js'
import { newPerson, stored, type Person } from '../support/people.js'
import { password, restClient } from '../support/rest.js'
import type { TestSocket } from '../support/socket.js'

describe('users events', () => {
  let t: TestApp
  let ada: Person, admin: Person
  let adas: SignedInSocket, admins: SignedInSocket
  let outsiders: TestSocket[]
  const sockets = socketsOf(() => t.address)
  const all = () => [adas, admins, ...outsiders]

  before(async () => {
    t = await startApp()
    ada = await newPerson(t)
    admin = await newPerson(t, 'admin')
    adas = await sockets.ofSession(ada)
    admins = await sockets.ofSession(admin)
    outsiders = [await sockets.ofSession(await newPerson(t, 'moderator')), await sockets.anonymous()]
  })
  beforeEach(async () => {
    await caughtUp(...all())
    all().forEach(({ events }) => events.splice(0))
  })
  after(async () => {
    sockets.closeAll()
    await t.stop()
  })

  /** What Ada, the admin and the others heard. */
  const allHeard = async () => {
    await caughtUp(...all())
    return [adas.events, admins.events, outsiders.flatMap(({ events }) => events)]
  }

  it('emits `created` to admins only, once', async () => {
    const user = await restClient(t.address).signUp({ name: 'Bob' })

    assert.deepEqual(await allHeard(), [[], [['users created', user]], []])
  })

  it('emits `patched` to the user and to admins, once', async () => {
    const { body } = await ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })
    const event = ['users patched', body]

    assert.equal(body.name, 'Ada')
    assert.deepEqual(await allHeard(), [[event], [event], []])
  })

  it('emits `patched` once to an admin whose own account changed', async () => {
    const { body } = await admin.ask('PATCH', `/users/${admin.id}`, { body: { name: 'Root' } })

    assert.deepEqual(await allHeard(), [[], [['users patched', body]], []])
  })

  it('emits `patched` to each socket of the user', async () => {
    const second = await sockets.ofSession(ada)
    const { body } = await ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Countess' } })

    await caughtUp(second)
    assert.deepEqual(heard(second, 'users patched'), [body])
    assert.deepEqual(heard(adas, 'users patched'), [body])
  })

  it('emits nothing for a refused change', async () => {
    await ada.ask('PATCH', `/users/${ada.id}`, { body: { roles: ['admin'] } })
    await ada.ask('PATCH', `/users/${ada.id}`, { body: { password: 'x', currentPassword: 'x' } })
    assert.deepEqual(await allHeard(), [[], [], []])
  })

  it('emits `removed` to the user and to admins', async () => {
    const bob = await newPerson(t)
    const bobs = await sockets.ofSession(bob)
    const { body } = await bob.ask('DELETE', `/users/${bob.id}`)

    await disconnectedInTime(bobs)
    await caughtUp(...all())
    assert.deepEqual(heard(admins, 'users removed'), [body])
    assert.deepEqual(heard(bobs, 'users removed'), [body])
    assert.deepEqual(
      [adas, ...outsiders].flatMap((socket) => heard(socket, 'users removed')),
      []
    )
  })

  it('sends the events of admins to the open sockets of a user who becomes admin', async () => {
    const bob = await newPerson(t)
    const bobs = await sockets.ofSession(bob)

    await newPerson(t)
    await caughtUp(bobs)
    assert.deepEqual(bobs.events, [], 'not yet an admin')

    await admin.ask('PATCH', `/users/${bob.id}`, { body: { roles: ['admin'] } })
    assert.deepEqual((await bobs.next('users patched')).roles, ['admin'])
    assert.equal((await bobs.call('get', 'content', 'admin')).id, 'admin')

    const user = await restClient(t.address).signUp()

    await caughtUp(bobs)
    assert.deepEqual(heard(bobs, 'users created'), [user])
  })

  it('stops sending the events of admins to the open sockets of a user who is no longer admin', async () => {
    const former = await newPerson(t, 'admin')
    const formers = await sockets.ofSession(former)

    await restClient(t.address).signUp()
    await formers.next('users created')
    await admin.ask('PATCH', `/users/${former.id}`, { body: { roles: ['moderator'] } })
    assert.deepEqual(
      (await formers.next('users patched')).roles,
      ['moderator'],
      'the last that it hears as admin'
    )
    await assert.rejects(formers.call('get', 'content', 'admin'), { code: 403 })

    ;[formers, admins].forEach(({ events }) => events.splice(0))
    await ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })
    await restClient(t.address).signUp()
    await caughtUp(admins, formers)
    assert.equal(heard(admins, 'users created').length, 1)
    assert.deepEqual(formers.events, [])
    assert.equal(isConnected(formers), true)

    await former.ask('PATCH', `/users/${former.id}`, { body: { name: 'Former' } })
    assert.equal((await formers.next('users patched')).name, 'Former', 'still hears of the own account')
  })

  it('publishes nothing else, and never a secret', async () => {
    const bob = await newPerson(t)
    const { password: hash } = await stored(t, bob.email)
    const bobs = await sockets.signedIn(bob)
    const { refreshToken } = bobs.login
    const newPassword = 'another horse battery'

    const answers = [
      bobs.login,
      await bobs.call('create', 'authentication', {
        strategy: 'refresh-token',
        refreshToken,
        idempotencyKey: 'key'
      }),
      await bob.signIn(),
      bob
    ]

    await bobs.call('find', 'content')
    await bobs.call('get', 'content', 'user')
    await bobs.call('find', 'health')
    await bobs.call('find', 'users')
    await bobs.call('patch', 'sessions', bob.session.id, { device: { name: 'Phone' } })
    await bobs.call('patch', 'users', bob.id, { password: newPassword, currentPassword: password })

    const { password: newHash } = await stored(t, bob.email)

    await bobs.call('patch', 'users', bob.id, { email: `bob-${bob.email}`, currentPassword: newPassword })
    await admin.ask('PATCH', `/users/${bob.id}`, { body: { roles: ['moderator'] } })

    const sibling = await sockets.ofSession(answers[1])

    await bobs.call('remove', 'authentication', null)
    await sibling.disconnected()
    await admin.ask('DELETE', `/users/${bob.id}`)
    await caughtUp(bobs, ...all())

    const events = [...all(), bobs, sibling].flatMap(({ events }) => events)
    const names = new Set(events.map(([name]) => name))
    const secrets = [
      hash,
      newHash,
      password,
      newPassword,
      ...answers.flatMap((body) => [body.accessToken, body.refreshToken])
    ]
    const published = JSON.stringify(events)

    assert.deepEqual(
      [...names].sort(),
      ['created', 'patched', 'removed'].flatMap((event) => [`sessions ${event}`, `users ${event}`]).sort()
    )
    assert.deepEqual(
      secrets.filter((secret) => published.includes(secret)),
      []
    )
    assert.doesNotMatch(
      published,
      /"(password|sessions|used|keys|token|accessToken|refreshToken|authentication)":/
    )
    assert.doesNotMatch(published, /\$argon2|eyJ/)
  })
})
