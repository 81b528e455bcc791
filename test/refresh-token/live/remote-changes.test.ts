import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { ObjectId } from 'mongodb'
import { startApp, type TestApp } from '../../support/app.js'
import { caughtUp, disconnectedInTime, heard, socketsOf, type SignedInSocket } from '../../support/live.js'
import { newPerson, type Person } from '../../support/people.js'
import { restClient } from '../../support/rest.js'
import { poll } from '../../support/socket.js'

describe('what changed on another instance', () => {
  let here: TestApp, elsewhere: TestApp
  let ada: Person, admin: Person

  before(async () => {
    elsewhere = await startApp()
    here = await startApp({ database: elsewhere.db.databaseName })
    admin = await newPerson(elsewhere, 'admin')
  })
  beforeEach(async () => {
    ada = await newPerson(elsewhere)
    assert.equal((await asksHere()).status, 200)
  })
  after(async () => {
    await here.stop()
    await elsewhere.stop()
  })

  const asksHere = (board = 'user') =>
    restClient(here.address).ask('GET', `/content/${board}`, { token: ada.accessToken })
  const patched = (body: object) => admin.ask('PATCH', `/users/${ada.id}`, { body })
  const users = () => elsewhere.db.collection('users')
  const one = () => ({ _id: new ObjectId(ada.id) })

  const ends: [string, string, () => Promise<unknown>][] = [
    ['a session that ended', 'revoked', () => ada.ask('DELETE', '/authentication')],
    ['an account that was disabled', 'disabled', () => patched({ disabled: true })],
    ['a user who was deleted', 'revoked', () => admin.ask('DELETE', `/users/${ada.id}`)],
    [
      'an account that another program disabled',
      'disabled',
      () => users().updateOne(one(), { $set: { disabled: true } })
    ],
    [
      'sessions that another program took away',
      'revoked',
      () => users().updateOne(one(), { $set: { sessions: [] } })
    ],
    ['a document that was replaced', 'revoked', () => users().replaceOne(one(), { email: ada.email })]
  ]

  for (const [what, reason, end] of ends) {
    it(`takes effect here within a second: ${what}`, async () => {
      await end()

      const refusal = await poll(
        async () => {
          const { status, body } = await asksHere()

          return status === 401 ? body : undefined
        },
        'the refusal',
        1000
      )

      assert.equal(refusal.data.reason, reason)
    })
  }

  it('takes effect here within a second: a role, given and taken', async () => {
    for (const [roles, status] of [
      [['moderator'], 200],
      [['user'], 403],
      [['moderator'], 200]
    ] as const) {
      await patched({ roles })
      await poll(async () => (await asksHere('moderator')).status === status, `a ${status}`, 1000)
    }
  })

  it('is announced even if a listener here fails', async () => {
    const names: (string | undefined)[] = []
    const fail = ({ name }: { name?: string }) => {
      names.push(name)
      throw new Error('A listener')
    }
    const open = socketsOf(() => here.address)

    await open.ofSession(admin)

    here.app.service('users').on('patched', fail)

    try {
      for (const name of ['First', 'Second']) {
        await users().updateOne(one(), { $set: { name } })
        await poll(() => names.includes(name), name)
      }

      names.length = 0
      // Nobody knows what changed meanwhile
      for (const name of ['Third', 'Fourth']) {
        await users().updateOne({ _id: new ObjectId(admin.id) }, { $set: { name } })
        here.app.service('authentication').live.changes.emit('missed')
        await poll(() => names.includes(name), name)
      }
    } finally {
      here.app.service('users').off('patched', fail)
      open.closeAll()
    }
  })

  it('refuses nobody who signed in there a moment ago', async () => {
    await Promise.all(
      // As many as a user may have sessions
      Array.from({ length: 19 }, async () => {
        const { accessToken } = await ada.signIn()
        const answer = await restClient(here.address).ask('GET', '/content/user', { token: accessToken })

        assert.equal(answer.status, 200)
      })
    )
  })
})

describe('a socket whose session another program removed', () => {
  let t: TestApp
  const sockets = socketsOf(() => t.address)

  before(async () => {
    t = await startApp()
  })
  after(async () => {
    sockets.closeAll()
    await t.stop()
  })

  const one = ({ id }: Person) => ({ _id: new ObjectId(id) })
  const users = () => t.db.collection('users')
  const ends: Record<string, (person: Person) => Promise<unknown>> = {
    deleted: (person) => users().deleteOne(one(person)),
    disabled: (person) => users().updateOne(one(person), { $set: { disabled: true } }),
    revoked: (person) => users().updateOne(one(person), { $set: { sessions: [] } }),
    expired: (person) => {
      t.clock.advance(40 * 24 * 60 * 60 * 1000)
      return users().updateOne(one(person), { $set: { sessions: [] } })
    }
  }

  for (const [reason, end] of Object.entries(ends)) {
    it(`hears the reason that the document shows: ${reason}`, async () => {
      const ada = await newPerson(t)
      const socket = await sockets.ofSession(ada)

      await end(ada)
      assert.equal(await disconnectedInTime(socket), 'io server disconnect')
      assert.deepEqual(
        heard(socket, 'sessions removed').map((session) => [session.id, session.reason, session.current]),
        [[ada.session.id, reason, true]]
      )
    })
  }
})

describe('sockets hear what happened on another instance, once', () => {
  let here: TestApp, elsewhere: TestApp
  let ada: Person, admin: Person
  let adas: SignedInSocket, admins: SignedInSocket, others: SignedInSocket
  const sockets = socketsOf(() => here.address)
  const all = () => [adas, admins, others]

  before(async () => {
    elsewhere = await startApp()
    here = await startApp({ database: elsewhere.db.databaseName })
    ada = await newPerson(elsewhere)
    admin = await newPerson(elsewhere, 'admin')
    adas = await sockets.ofSession(ada)
    admins = await sockets.ofSession(admin)
    others = await sockets.ofSession(await newPerson(elsewhere))
  })
  after(async () => {
    sockets.closeAll()
    await here.stop()
    await elsewhere.stop()
  })
  beforeEach(async () => {
    await settled()
    all().forEach(({ events }) => events.splice(0))
  })

  /** What is told of one change has been told when what is told of a later one was. */
  const settled = async () => {
    const name = `Ada ${Date.now()}`

    await admin.ask('PATCH', `/users/${ada.id}`, { body: { name } })
    await poll(
      () =>
        [adas, admins].every((socket) => heard(socket, 'users patched').some((user) => user.name === name)),
      'the last event'
    )
    await caughtUp(...all())
    all().forEach((socket) => {
      const at = socket.events.findLastIndex(
        (event) => event[0] === 'users patched' && event[1].name === name
      )

      if (at >= 0) {
        socket.events.splice(at, 1)
      }
    })
  }

  it('a session that was opened, renamed and ended', async () => {
    const { session } = await ada.signIn()
    const seen = { ...session, current: false }

    assert.deepEqual(await adas.next('sessions created'), seen)

    const { body: renamed } = await ada.ask('PATCH', `/sessions/${session.id}`, {
      body: { device: { name: 'Phone' } }
    })

    assert.deepEqual(await adas.next('sessions patched'), { ...renamed, current: false })
    await ada.ask('DELETE', `/sessions/${session.id}`)
    assert.deepEqual(await adas.next('sessions removed'), { ...renamed, current: false, reason: 'revoked' })
    await settled()
    assert.deepEqual(
      all().map(({ events }) => events.map(([name]) => name)),
      [['sessions created', 'sessions patched', 'sessions removed'], [], []]
    )
  })

  it('a session that was opened here, while the stream reports it too', async () => {
    const { body } = await restClient(here.address).signIn(ada.email)

    await restClient(here.address).ask('DELETE', '/authentication', { token: body.accessToken })
    await settled()
    assert.deepEqual(
      adas.events.map(([name]) => name),
      ['sessions created', 'sessions removed']
    )
  })

  it('users who signed up, were changed and deleted: to admins and to those users', async () => {
    const user = await restClient(elsewhere.address).signUp({ name: 'Bob' })

    assert.deepEqual(await admins.next('users created'), user)

    const { body } = await admin.ask('PATCH', `/users/${user._id}`, { body: { roles: ['moderator'] } })

    assert.deepEqual(await admins.next('users patched'), body)
    await admin.ask('DELETE', `/users/${user._id}`)
    assert.equal((await admins.next('users removed'))._id, user._id)

    const { body: changed } = await ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Countess' } })

    assert.deepEqual(await adas.next('users patched'), changed)
    await settled()
    assert.deepEqual(
      all().map(({ events }) => events.map(([name]) => name)),
      [['users patched'], ['users created', 'users patched', 'users removed', 'users patched'], []]
    )
  })

  it('what was changed here, while the stream reports it too', async () => {
    const asHere = restClient(here.address)
    const user = await asHere.signUp({ name: 'Bob' })

    await asHere.ask('PATCH', `/users/${user._id}`, { token: admin.accessToken, body: { name: 'Robert' } })
    await asHere.ask('DELETE', `/users/${user._id}`, { token: admin.accessToken })
    await settled()
    assert.deepEqual(
      admins.events.map(([name]) => name),
      ['users created', 'users patched', 'users removed']
    )
  })

  it('a role: the socket starts and stops hearing what admins hear', async () => {
    const asAdmin = (roles: string[]) => admin.ask('PATCH', `/users/${ada.id}`, { body: { roles } })

    await asAdmin(['admin'])
    await adas.next('users patched')

    const { _id } = await restClient(elsewhere.address).signUp({})

    assert.equal((await adas.next('users created'))._id, _id)
    await asAdmin(['user'])
    await poll(() => heard(adas, 'users patched').length === 2, 'the role taken')
    await restClient(elsewhere.address).signUp({})
    await settled()
    assert.equal(heard(adas, 'users created').length, 1)
  })

  it('nothing of sign-ins and new passwords of others', async () => {
    const bob = await newPerson(elsewhere)

    await admins.next('users created')
    await bob.signIn()
    await admin.ask('PATCH', `/users/${bob.id}`, { body: { password: 'another horse battery' } })
    await settled()
    assert.deepEqual(
      all().map(({ events }) => events.map(([name]) => name)),
      [[], ['users created'], []]
    )
  })
})
