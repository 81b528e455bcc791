import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventQueue } from '../../../src/services/events/trail/event-queue.js'
import { createLogger } from '../../../src/logger.js'
import type { SessionRecord } from '../../../src/refresh-token/index.js'
import { from } from '../../floods/limits.js'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { newPerson } from '../../support/people.js'
import { runScript } from '../../support/process.js'
import { atOnce, password, restClient } from '../../support/rest.js'
import { poll } from '../../support/socket.js'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.js'
import { written } from '../../support/trail.js'

const wrong = 'wrong horse battery'
const passwordChange = { body: { password: 'another horse battery', currentPassword: password } }

const eventsIn = (t: TestApp, filter: object = {}) => t.db.collection('events').find(filter).toArray()

/** How long MongoDB keeps events, s. */
async function keptFor(t: TestApp): Promise<number | undefined> {
  const indexes = await poll(
    () =>
      t.db
        .collection('events')
        .indexes()
        .catch(() => undefined),
    'the collection'
  )

  return indexes.find(({ key }) => key.createdAt === 1)?.expireAfterSeconds
}

describe('what is written to the audit trail', () => {
  it('expires after the configured time, also after that changes', async () => {
    const day = 24 * 60 * 60 // s

    await withApp({}, async (t) => {
      await newPerson(t)
      await written(t)
      assert.equal(await keptFor(t), 90 * day)

      await withApp({ database: t.db.databaseName, settings: { events: { keep: '1d' } } }, async (later) => {
        await poll(async () => (await keptFor(later)) === day || undefined, 'the new time')
      })
    })
  })

  it('is complete if the service stops right afterwards', async () => {
    await withApp({}, async (t) => {
      const ada = await newPerson(t)
      const other = await startApp({ database: t.db.databaseName })

      await atOnce(10, () => restClient(other.address).signIn(ada.email))
      await other.stop()
      assert.equal((await eventsIn(t, { type: 'signed-in', userId: ada.id })).length, 11)
    })
  })

  it('includes what the command line does', async () => {
    await withApp({}, async (t) => {
      const ada = await newPerson(t)
      const env = { MONGODB_URL: t.url, NODE_ENV: 'test' }

      assert.equal((await runScript('cli.ts', { args: ['users', 'role', ada.email, 'admin'], env })).code, 0)
      const [event] = await eventsIn(t, { type: 'roles-changed' })

      assert.deepEqual(event?.roles, ['admin'])
      assert.deepEqual(event?.device, {})
    })
  })

  it('does not delay sign-ins while it can not be written', async () => {
    const t = await startApp()

    try {
      await t.app.get('eventStore').prepare()
      await t.db.collection('events').drop()
      // It takes no writes
      await t.db.createCollection('events', { viewOn: 'users', pipeline: [] })
      const ada = await newPerson(t)

      assert.ok(ada.accessToken)
      await sleep(200)
      assert.equal(t.app.get('eventQueue').length, 1)
      await t.db.collection('events').drop()
      await written(t)
      assert.equal((await eventsIn(t)).length, 1)
    } finally {
      await t.stop()
    }
  })
})

describe('what could not be written at first', () => {
  it('counts for whether a device is new', async () => {
    await withApp({}, async (t) => {
      const from = (userAgent: string, email: string) =>
        restClient(t.address).ask('POST', '/authentication', {
          body: { strategy: 'local', email, password },
          headers: { 'User-Agent': userAgent }
        })

      await t.app.get('eventStore').prepare()
      await t.db.collection('events').drop()
      // It takes no writes
      await t.db.createCollection('events', { viewOn: 'users', pipeline: [] })

      const ada = await newPerson(t)

      await sleep(200)
      await from('another', ada.email)
      await sleep(1200)
      await from('a third', ada.email)
      await t.db.collection('events').drop()
      await written(t)

      const told = await eventsIn(t, { type: 'new-device' })

      assert.deepEqual(told.map(({ device }) => device.userAgent).sort(), ['a third', 'another'])
    })
  })
})

describe('while the database is away', () => {
  const { MONGODB_URL } = process.env
  let t: TestApp
  let direct: TestApp
  let proxy: TcpProxy

  before(async () => {
    proxy = await startTcpProxy(Number(new URL(MONGODB_URL!).port))
    direct = await startApp()
    process.env.MONGODB_URL = `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`
    t = await startApp({ database: direct.db.databaseName })
    process.env.MONGODB_URL = MONGODB_URL
  })
  after(async () => {
    await t.stop().catch(() => undefined)
    await proxy.close()
    await direct.stop()
  })

  it('events wait, and are written once when it is back', async () => {
    const ada = await newPerson(t)

    await written(t)
    proxy.cut()
    t.app.service('authentication').sessions.emit('ended', {
      userId: ada.id,
      session: { ...ada.session, createdAt: new Date() },
      reason: 'logout'
    })
    await sleep(50)
    proxy.cut()
    await written(t)
    assert.equal((await eventsIn(direct, { type: 'session-ended', userId: ada.id })).length, 1)
  })

  it('a service that stops waits 3 s at most', async () => {
    const ada = await newPerson(t)

    await written(t)
    proxy.freeze()
    t.app.service('authentication').sessions.emit('ended', {
      userId: ada.id,
      session: ada.session,
      reason: 'logout'
    })
    const start = performance.now()

    await t.app.get('eventQueue').close()
    assert.ok(performance.now() - start < 4500)
    assert.equal(t.app.get('eventQueue').dropped, 1)
    proxy.thaw()
  })
})

describe('a queue of events', () => {
  const sentences: string[] = []
  const log = createLogger('production', { write: (line) => sentences.push(JSON.parse(line).msg) })

  it('keeps 10,000 while they can not be written, counts what it drops, and says so', async () => {
    const all: number[] = []
    let isAway = true
    const queue = new EventQueue<number>(async (batch) => {
      if (isAway) throw new Error('away')
      assert.ok(batch.length <= 500)
      all.push(...batch)
    }, log)

    for (let index = 0; index < 10_005; index++) queue.add(index)
    await poll(() => sentences.length > 0 || undefined, 'the warning')
    assert.equal(queue.dropped, 5)
    isAway = false
    await queue.close()
    assert.deepEqual(all, [...Array(10_000).keys()])
    assert.deepEqual(sentences, [
      'Events wait to be noted in the audit trail: away',
      '5 events could not be noted in the audit trail'
    ])
  })
})

describe('a flood of sign-ins', () => {
  let t: TestApp

  before(async () => {
    t = await startApp({
      settings: {
        proxies: 1,
        rateLimit: {
          signIn: { account: { limit: 5, per: '15m' }, address: false },
          signUp: false,
          refresh: false
        }
      }
    })
  })
  after(() => t.stop())

  const tryFrom = (ip: string, email: string) =>
    restClient(t.address).ask('POST', '/authentication', {
      body: { strategy: 'local', email, password: wrong },
      headers: { 'X-Forwarded-For': ip }
    })
  const refusedOf = async (filter: object) => {
    await written(t)

    const reasons = (await eventsIn(t, { type: 'sign-in-refused', ...filter })).map(({ reason }) => reason)

    return reasons.toSorted()
  }

  it('at one account makes one event beyond its limit, from any number of addresses', async () => {
    const ada = await newPerson(t)

    await atOnce(20, (index) => tryFrom(`192.0.2.${index}`, ada.email))
    assert.deepEqual(await refusedOf({ userId: ada.id }), ['limited', ...Array<string>(5).fill('refused')])
  })

  it('at unknown accounts makes one event a minute per address', async () => {
    await atOnce(20, () => tryFrom('198.51.100.1', `${randomUUID()}@example.com`))
    await atOnce(20, () => tryFrom('2001:db8::1', `${randomUUID()}@example.com`))
    await tryFrom('2001:db8::2', `${randomUUID()}@example.com`)
    assert.deepEqual(await refusedOf({ 'device.ip': '198.51.100.1' }), ['refused'])
    assert.equal((await refusedOf({ 'device.ip': /^2001/ })).length, 1)
  })

  it('without limits makes 20 events of an account in 15 minutes', async () => {
    await withApp({ settings: { rateLimit: false } }, async (other) => {
      const ada = await newPerson(other)
      const client = restClient(other.address)

      await atOnce(25, () => client.signIn(ada.email, { password: wrong }))
      await written(other)
      assert.equal((await eventsIn(other, { type: 'sign-in-refused' })).length, 20)
      assert.equal((await client.signIn(ada.email, { password })).status, 201)
    })
  })
})

describe('a flood of sign-ins with the right password', () => {
  it("is limited per user, and the account's use elsewhere still shows", () =>
    withApp({ settings: { proxies: 1 } }, async (t) => {
      const ada = await newPerson(t)
      const signIn = (ip: string) =>
        restClient(t.address).ask('POST', '/authentication', {
          body: { strategy: 'local', email: ada.email, password, device: { id: randomUUID() } },
          headers: from(ip)
        })
      const count = async (filter: object) => {
        await written(t)
        return (await eventsIn(t, { userId: ada.id, ...filter })).length
      }

      for (let round = 0; round < 10; round++) {
        await atOnce(10, () => signIn('192.0.2.1'))
      }

      assert.equal((await signIn('192.0.2.2')).status, 201)
      // The first, and twenty more, of each kind: sign-ins, new devices and the sessions that make room
      assert.ok((await count({ 'device.ip': '192.0.2.1' })) <= 3 * 21)
      assert.equal(await count({ 'device.ip': '192.0.2.2', type: 'signed-in' }), 1)
      assert.equal(await count({ 'device.ip': '192.0.2.2', type: 'new-device' }), 1)

      for (let index = 0; index < 25; index++) {
        await atOnce(10, (host) => signIn(`198.51.100.${10 * index + host}`))
      }

      assert.ok((await count({})) <= 3 * 201)

      const { accessToken: token } = await ada.signIn()

      assert.equal((await ada.ask('PATCH', `/users/${ada.id}`, { token, ...passwordChange })).status, 200)
      assert.equal(await count({ type: 'password-changed' }), 1)
    }))

  it('is limited per address, except for the first of each user', () =>
    withApp({}, async (t) => {
      const note = (userId: string) =>
        t.app.service('authentication').sessions.emit('ended', {
          userId,
          session: { id: randomUUID(), device: { ip: '192.0.2.1' } } as SessionRecord,
          reason: 'revoked'
        })

      for (let index = 0; index < 2000; index++) {
        note(`one of ${index % 50}`)
      }
      note('another')

      await written(t)
      assert.equal((await eventsIn(t, { userId: 'another' })).length, 1)
      assert.ok((await eventsIn(t)).length <= 600 + 51)
    }))
})
