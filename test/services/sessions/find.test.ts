import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, stored, type Person } from '../../support/people.js'
import { restClient } from '../../support/rest.js'

const fields = ['createdAt', 'current', 'device', 'expiresAt', 'id', 'refreshedAt', 'strategy']
const unknownId = '01890000-0000-7000-8000-000000000000'
const day = 24 * 60 * 60 * 1000 // ms

interface Shown {
  id: string
  current: boolean
}

describe('GET /sessions', () => {
  let t: TestApp
  let ada: Person
  let bob: Person
  // eslint-disable-next-line typescript/no-explicit-any -- bodies of answers
  let logins: any[]

  before(async () => {
    t = await startApp()
    ada = await newPerson(t, 'user', { device: { id: 'laptop', name: 'Laptop' } })
    bob = await newPerson(t)
    logins = []

    for (const name of ['Phone', 'Tablet']) {
      t.clock.advance(1000)
      logins.push(await ada.signIn({ device: { name } }))
    }
  })
  after(() => t.stop())

  it("lists the caller's sessions, newest first", async () => {
    const { status, body } = await ada.ask('GET', '/sessions')

    assert.equal(status, 200)
    assert.deepEqual(
      body.map(({ id }: Shown) => id),
      [logins[1].session.id, logins[0].session.id, ada.session.id]
    )
  })

  it("marks exactly the caller's session as current", async () => {
    for (const { accessToken, session } of [ada, ...logins]) {
      const { body } = await ada.ask('GET', '/sessions', { token: accessToken })

      assert.deepEqual(
        body.filter(({ current }: Shown) => current).map(({ id }: Shown) => id),
        [session.id]
      )
      assert.equal(body.filter(({ current }: Shown) => !current).length, 2)
    }
  })

  it('shows of each what the contract says, and no more', async () => {
    const { body } = await ada.ask('GET', '/sessions', { headers: { 'User-Agent': 'another' } })
    const [, , laptop] = body
    const { userAgent, ip, ...device } = laptop.device

    for (const session of body) {
      assert.deepEqual(Object.keys(session).sort(), fields)
    }

    assert.deepEqual(device, { id: 'laptop', name: 'Laptop' })
    assert.equal(userAgent, 'node')
    assert.match(ip, /127\.0\.0\.1|::1/)
    assert.deepEqual(laptop, ada.session)
    assert.equal(laptop.strategy, 'local')
    assert.equal(laptop.createdAt, laptop.refreshedAt)
    assert.ok(Math.abs(Date.parse(laptop.expiresAt) - Date.parse(laptop.createdAt) - 30 * day) <= 1000)
  })

  it('keeps the order, and moves the times, at a refresh', async () => {
    const client = restClient(t.address)
    const eva = await newPerson(t)

    t.clock.advance(1000)
    const phone = await eva.signIn()
    t.clock.advance(60_000)
    await client.refresh(eva.refreshToken)

    const [first, second] = (await eva.ask('GET', '/sessions')).body

    assert.deepEqual([first.id, second.id], [phone.session.id, eva.session.id])
    assert.equal(second.createdAt, eva.session.createdAt)
    assert.equal(second.refreshedAt, new Date(t.clock.now).toISOString())
    assert.equal(Date.parse(second.expiresAt) - Date.parse(eva.session.expiresAt), 61_000)
  })

  it('gets one by its id', async () => {
    const own = await ada.ask('GET', `/sessions/${ada.session.id}`)
    const other = await ada.ask('GET', `/sessions/${logins[0].session.id}`)

    assert.equal(own.status, 200)
    assert.deepEqual(own.body, ada.session)
    assert.deepEqual(other.body, { ...logins[0].session, current: false })
  })

  it("answers 404 for an unknown id and for another's with the same body, whatever is done", async () => {
    const calls: [string, object | undefined][] = [
      ['GET', undefined],
      ['PATCH', { device: { name: 'Mine' } }],
      ['DELETE', undefined]
    ]

    for (const [method, body] of calls) {
      const answers = [
        await ada.ask(method, `/sessions/${bob.session.id}`, { body }),
        await ada.ask(method, `/sessions/${unknownId}`, { body }),
        await ada.ask(method, '/sessions/x', { body })
      ]

      for (const answer of answers) {
        assert.equal(answer.status, 404)
        assert.deepEqual(answer.body, answers[0]!.body)
      }
    }

    assert.deepEqual((await bob.ask('GET', '/sessions')).body, [bob.session])
  })

  it('answers 401 without a token', async () => {
    for (const path of ['/sessions', `/sessions/${ada.session.id}`]) {
      const { status, headers } = await restClient(t.address).ask('GET', path)

      assert.equal(status, 401)
      assert.equal(headers.get('www-authenticate'), 'Bearer')
    }
  })

  for (const query of [
    'id=x',
    '$limit=1',
    '$sort[id]=1',
    '$select[]=id',
    'current=false',
    'userId[$ne]=x',
    'userId='
  ]) {
    it(`answers 400 to a query that it does not know: ${query}`, async () => {
      for (const path of ['/sessions', `/sessions/${ada.session.id}`]) {
        assert.equal((await ada.ask('GET', `${path}?${query}`)).status, 400)
      }
    })
  }

  it('does not show expired sessions', async () => {
    const eva = await newPerson(t)

    t.clock.advance(29 * day)
    const phone = await eva.signIn()

    t.clock.advance(day)
    // A sign-in would take it away, a refresh leaves it
    const { body } = await restClient(t.address).refresh(phone.refreshToken)
    const ask = (method: string, path: string, more = {}) =>
      eva.ask(method, path, { token: body.accessToken, ...more })
    const expired = `/sessions/${eva.session.id}`

    assert.equal((await stored(t, eva.email)).sessions.length, 2)
    assert.deepEqual((await ask('GET', '/sessions')).body, [body.session])
    assert.equal((await ask('GET', expired)).status, 404)
    assert.equal((await ask('PATCH', expired, { body: { device: { name: 'Mine' } } })).status, 404)
    assert.equal((await ask('DELETE', expired)).status, 404)
    assert.deepEqual((await ask('DELETE', '/sessions')).body, [body.session])
  })
})
