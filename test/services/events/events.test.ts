import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { AuditEvent } from '../../../src/services/events/trail/event.js'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { newPerson, type Person } from '../../support/people.js'
import { atOnce, password, restClient, type RestClient } from '../../support/rest.js'
import { connect } from '../../support/socket.js'
import { written } from '../../support/trail.js'

const wrong = 'wrong horse battery'
const browser = (version: string) => `Mozilla/5.0 (X11; Linux x86_64; rv:${version}) Firefox/${version}`

let t: TestApp
let client: RestClient
let admin: Person

before(async () => {
  t = await startApp()
  client = restClient(t.address)
  admin = await newPerson(t, 'admin')
})
after(() => t.stop())

/** What the trail has of a user, newest first. */
async function trailOf({ id }: { id: string }, query = ''): Promise<AuditEvent[]> {
  await written(t)

  const { status, body } = await admin.ask('GET', `/events?userId=${id}${query}`)

  assert.equal(status, 200, JSON.stringify(body))
  return body.data
}

const typesOf = async (person: { id: string }) => (await trailOf(person)).map(({ type }) => type).toReversed()

/** Signs in with the User-Agent of a browser. */
const signInFrom = (email: string, userAgent: string, more: object = {}) =>
  client.ask('POST', '/authentication', {
    body: { strategy: 'local', email, password, ...more },
    headers: { 'User-Agent': userAgent }
  })

describe('the audit trail', () => {
  it('has a sign-in, a refused one and the end of a session, newest first, for the user to read', async () => {
    const ada = await newPerson(t, 'user', { device: { id: 'ada-laptop', name: 'Laptop' } })
    const other = await ada.signIn()

    t.clock.advance(1000)
    await client.signIn(ada.email, { password: wrong })
    await ada.ask('DELETE', `/sessions/${other.session.id}`)
    await written(t)

    const { status, body } = await ada.ask('GET', '/events?$limit=9')
    const [ended, refused, , first] = body.data

    assert.equal(status, 200)
    assert.deepEqual(
      body.data.map(({ type }: AuditEvent) => type),
      ['session-ended', 'sign-in-refused', 'new-device', 'signed-in', 'signed-in']
    )
    assert.deepEqual({ ...body, data: [] }, { total: 5, limit: 9, skip: 0, data: [] })
    assert.equal(ended.reason, 'revoked')
    assert.equal(ended.sessionId, other.session.id)
    assert.equal(refused.reason, 'refused')
    assert.equal(refused.device.ip, '127.0.0.1')
    assert.equal(first.sessionId, other.session.id)
    assert.deepEqual(body.data[4], {
      _id: body.data[4]._id,
      type: 'signed-in',
      userId: ada.id,
      sessionId: ada.session.id,
      strategy: 'local',
      device: { id: 'ada-laptop', name: 'Laptop', userAgent: 'node', ip: '127.0.0.1' },
      createdAt: ada.session.createdAt
    })
  })

  it('notes the reuse of a refresh token, and the session that ends', async () => {
    const ada = await newPerson(t)
    const { body } = await client.refresh(ada.refreshToken)

    await client.refresh(body.refreshToken)
    const stolen = { strategy: 'refresh-token', refreshToken: ada.refreshToken }

    await atOnce(3, () =>
      client.ask('POST', '/authentication', { body: stolen, headers: { 'User-Agent': 'thief' } })
    )

    const events = await trailOf(ada)
    const reused = events.find(({ type }) => type === 'token-reused')!
    const ended = events.find(({ type }) => type === 'session-ended')!

    assert.deepEqual(await typesOf(ada), ['signed-in', 'session-ended', 'token-reused'])
    assert.equal(reused.device.userAgent, 'thief')
    assert.equal(reused.sessionId, ada.session.id)
    assert.equal(ended.reason, 'reused')
    assert.equal(ended.device.userAgent, 'node')
  })

  it('notes no successful refresh', async () => {
    const ada = await newPerson(t)

    await client.refresh(ada.refreshToken)
    await client.refresh(ada.refreshToken)
    assert.deepEqual(await typesOf(ada), ['signed-in'])
  })

  it('notes changes of an account, and who made them', async () => {
    const ada = await newPerson(t)
    const mine = { currentPassword: password }

    await ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })
    await ada.ask('PATCH', `/users/${ada.id}`, { body: { ...mine, password: 'another horse battery' } })
    await admin.ask('PATCH', `/users/${ada.id}`, { body: { roles: ['user', 'moderator'] } })
    await admin.ask('PATCH', `/users/${ada.id}`, { body: { email: `${randomUUID()}@example.com` } })
    await admin.ask('PATCH', `/users/${ada.id}`, { body: { disabled: true } })
    await admin.ask('PATCH', `/users/${ada.id}`, { body: { disabled: false } })
    await t.app.service('users').patch(ada.id, { roles: ['admin'] })
    await admin.ask('DELETE', `/users/${ada.id}`)

    const events = (await trailOf(ada)).toReversed()

    assert.deepEqual(
      events.map(({ type, by, reason, roles }) => [type, by, reason ?? roles]),
      [
        ['signed-in', undefined, undefined],
        ['password-changed', ada.id, undefined],
        ['roles-changed', admin.id, ['user', 'moderator']],
        ['email-changed', admin.id, undefined],
        ['session-ended', admin.id, 'disabled'],
        ['user-disabled', admin.id, undefined],
        ['user-enabled', admin.id, undefined],
        ['roles-changed', undefined, ['admin']],
        ['user-deleted', admin.id, undefined]
      ]
    )
  })

  it('shows the device of an admin to admins only', async () => {
    const ada = await newPerson(t)
    const mine = { currentPassword: password, password: 'another horse battery' }

    await ada.ask('PATCH', `/users/${ada.id}`, { body: mine })
    await admin.ask('PATCH', `/users/${ada.id}`, { body: { roles: ['moderator'] } })
    const ips = (events: AuditEvent[]) => events.slice(0, 2).map(({ type, device }) => [type, device.ip])

    assert.deepEqual(ips(await trailOf(ada)), [
      ['roles-changed', '127.0.0.1'],
      ['password-changed', '127.0.0.1']
    ])
    assert.deepEqual(ips((await ada.ask('GET', '/events')).body.data), [
      ['roles-changed', undefined],
      ['password-changed', '127.0.0.1']
    ])
  })

  it('notes who ended a session, and tells no socket', async () => {
    const ada = await newPerson(t)
    const mine = await ada.signIn()
    const theirs = await ada.signIn()
    const socket = await connect(t.address)

    await socket.call('create', 'authentication', { strategy: 'jwt', accessToken: ada.accessToken })
    await ada.ask('DELETE', `/sessions/${mine.session.id}`)
    await admin.ask('DELETE', `/sessions/${theirs.session.id}?userId=${ada.id}`)
    await ada.signIn()
    await ada.ask('DELETE', '/sessions?current=false')
    await ada.ask('PATCH', `/users/${ada.id}`, {
      body: { currentPassword: password, password: 'another horse battery' }
    })
    await admin.ask('DELETE', `/sessions?userId=${ada.id}`)

    const ended = (await trailOf(ada, '&type=session-ended')).toReversed()

    assert.deepEqual(
      ended.map(({ by, reason }) => [by, reason]),
      [
        [ada.id, 'revoked'],
        [admin.id, 'admin'],
        [ada.id, 'revoked'],
        [admin.id, 'admin']
      ]
    )
    assert.equal(
      socket.events.some(([, data]) => 'by' in data),
      false
    )
    assert.ok(socket.events.some(([name]) => name === 'sessions removed'))
    socket.close()
  })

  it('notes a right password for a disabled account', async () => {
    const ada = await newPerson(t)

    await admin.ask('PATCH', `/users/${ada.id}`, { body: { disabled: true } })
    await client.signIn(ada.email)
    assert.equal((await trailOf(ada))[0]!.reason, 'disabled')
  })

  it('holds no token, no password, no hash, and nothing that was typed as a name', async () => {
    const ada = await newPerson(t)
    const typed = `typed-${randomUUID()}`

    await client.signIn(typed, { password: 'typed horse battery' })
    await client.signIn('x'.repeat(5000))
    await ada.ask('PATCH', `/users/${ada.id}`, {
      body: { currentPassword: password, password: 'another horse battery' }
    })
    await written(t)

    const all = JSON.stringify(await t.db.collection('events').find().toArray())

    assert.match(all, /password-changed/)
    assert.doesNotMatch(all, /horse|eyJ|argon2|typed|xxxx|example\.com|account|retryAfter/)
  })
})

describe('GET /events', () => {
  it('answers users their own events only', async () => {
    const [ada, bob] = await atOnce(2, () => newPerson(t))

    await client.signIn(bob!.email, { password: wrong })
    await client.signIn('nobody@example.com')
    await written(t)

    const { body } = await ada!.ask('GET', '/events')

    assert.deepEqual([...new Set(body.data.map(({ userId }: AuditEvent) => userId))], [ada!.id])
    assert.equal((await ada!.ask('GET', `/events?userId=${ada!.id.toUpperCase()}`)).status, 200)

    for (const other of [bob!.id, 'all', randomUUID(), 'nobody']) {
      assert.equal((await ada!.ask('GET', `/events?userId=${other}`)).status, 403)
    }

    assert.equal((await client.ask('GET', '/events')).status, 401)
  })

  it('answers an admin all events, also those without a user', async () => {
    await client.signIn(`${randomUUID()}@example.com`)
    await written(t)

    const { body } = await admin.ask('GET', '/events?userId=all&type=sign-in-refused&$limit=50')

    assert.ok(body.data.some((event: AuditEvent) => !('userId' in event) && event.reason === 'refused'))
    assert.ok((await admin.ask('GET', '/events?userId=all')).body.total > body.total)
  })

  it('answers pages, and those of a type', async () => {
    const ada = await newPerson(t)

    for (let index = 0; index < 3; index++) {
      await client.signIn(ada.email, { password: wrong })
    }

    const all = await trailOf(ada)
    const page = await trailOf(ada, '&$limit=2&$skip=1')

    assert.equal(all.length, 4)
    assert.deepEqual(page, all.slice(1, 3))
    assert.deepEqual(await trailOf(ada, '&$limit=0'), [])
    assert.equal((await trailOf(ada, '&type=signed-in')).length, 1)
    assert.equal((await admin.ask('GET', `/events?userId=${ada.id}&$limit=9999`)).body.limit, 50)
  })

  it('refuses unknown fields', async () => {
    for (const query of [
      'type=x',
      'reason=x',
      '$limit=-1',
      'userId[$ne]=x',
      '$sort[createdAt]=1',
      'device.ip=1'
    ]) {
      assert.equal((await admin.ask('GET', `/events?${query}`)).status, 400, query)
    }
    for (const method of ['POST', 'PATCH', 'DELETE']) {
      assert.equal((await admin.ask(method, '/events', { body: {} })).status, 405)
    }
  })
})

describe('a sign-in from a new device', () => {
  const devicesOf = async (person: Person) => (await trailOf(person, '&type=new-device')).length

  it('is distinguished from the first sign-in, and from a new version of the same browser', async () => {
    const ada = await newPerson(t)

    await signInFrom(ada.email, 'node')
    assert.equal(await devicesOf(ada), 0)
    await signInFrom(ada.email, browser('128.0'))
    assert.equal(await devicesOf(ada), 1)
    await signInFrom(ada.email, browser('129.0.1'))
    assert.equal(await devicesOf(ada), 1)
    await signInFrom(ada.email, browser('129.0.1'), { device: { id: 'second' } })
    assert.equal(await devicesOf(ada), 2)

    const [told] = await trailOf(ada, '&type=new-device')
    const [signIn] = await trailOf(ada, '&type=signed-in')

    assert.equal(told!.sessionId, signIn!.sessionId)
    assert.equal(told!.device.id, 'second')
  })

  it('is noted once for many at once', async () => {
    const ada = await newPerson(t)

    await written(t)
    await atOnce(5, () => signInFrom(ada.email, browser('1.0')))
    assert.equal(await devicesOf(ada), 1)
  })

  it('does not count as a guess at a password', async () => {
    const ada = await newPerson(t)

    await signInFrom(ada.email, browser('1.0'), { password: wrong })
    assert.equal(await devicesOf(ada), 0)
  })
})

describe('listeners on the server', () => {
  it('hear what GET /events answers, once, on the instance where it happened; sockets hear nothing', async () => {
    const heard: Record<string, AuditEvent[]> = { here: [], elsewhere: [] }
    const hear = (where: string) => (event: AuditEvent) => heard[where]!.push(event)

    await withApp({ database: t.db.databaseName }, async (elsewhere) => {
      const ada = await newPerson(t)
      const socket = await connect(t.address)

      await socket.call('create', 'authentication', { strategy: 'jwt', accessToken: ada.accessToken })
      await written(t)
      t.app.service('events').on('created', hear('here'))
      elsewhere.app.service('events').on('created', hear('elsewhere'))

      await signInFrom(ada.email, browser('1.0'))
      await written(t)
      await client.signIn(ada.email, { password: wrong })
      const events = (await trailOf(ada)).slice(0, 3).toReversed()

      assert.deepEqual(JSON.parse(JSON.stringify(heard.here)), events)
      assert.deepEqual(heard.elsewhere, [])
      assert.deepEqual(
        socket.events.filter(([name]) => name.startsWith('events')),
        []
      )
      socket.close()
      t.app.service('events').removeAllListeners('created')
    })
  })

  it('may throw without affecting anything else', async () => {
    const ada = await newPerson(t)
    const fail = () => {
      throw new Error('A listener')
    }

    await written(t)
    t.app.service('events').on('created', fail)
    await client.signIn(ada.email)
    assert.deepEqual(await typesOf(ada), ['signed-in', 'signed-in'])
    t.app.service('events').off('created', fail)
  })
})

describe('without the setting', () => {
  it('there is no trail', async () => {
    await withApp({ settings: { events: false } }, async (other) => {
      const ada = await newPerson(other)

      assert.equal((await ada.ask('GET', '/events')).status, 404)
      assert.equal(await other.db.listCollections({ name: 'events' }).hasNext(), false)
    })
  })
})
