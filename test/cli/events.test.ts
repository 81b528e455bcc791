import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { moultOn } from '../support/moult.js'
import { newPerson, type Person } from '../support/people.js'
import { poll } from '../support/socket.js'

describe('moult events list', () => {
  let t: TestApp
  let moult: ReturnType<typeof moultOn>
  let ada: Person
  let grace: Person
  const stored = (userId: string) => t.db.collection('events').countDocuments({ userId })
  const json = async (...args: string[]) =>
    JSON.parse((await moult(['events', 'list', ...args, '--json'])).stdout)

  before(async () => {
    t = await startApp()
    moult = moultOn(t)
    ada = await newPerson(t, 'user', { device: { name: 'Ada\u202es laptop' } })
    grace = await newPerson(t)
    t.clock.advance(60_000)
    await ada.ask('DELETE', '/authentication')
    await poll(
      async () => (await stored(ada.id)) === 2 && (await stored(grace.id)) === 1,
      'the events of both'
    )
  })
  after(() => t.stop())

  it('shows what happened to all accounts, newest first, with emails in place of ids', async () => {
    const { code, stdout } = await moult(['events', 'list'])
    const [header, newest, ...rest] = stdout.split('\n')

    assert.equal(code, 0)
    assert.match(header!, /^time \(UTC\) +event +user +details +by +device +address$/)
    assert.match(newest!, new RegExp(`^\\S+ \\S+ +session-ended +${ada.email} +logout `))
    assert.ok(rest.some((line) => line.includes('signed-in') && line.includes(grace.email)))
    assert.equal(rest.at(-1), '3 of 3 events')
    assert.doesNotMatch(stdout, /\u202e/)
  })

  it('shows the events of one account, by its email in any case or its id, and of one type', async () => {
    const byEmail = await json(ada.email.toUpperCase())
    const byId = await json(ada.id)
    const signIns = await json('--type', 'signed-in')

    assert.deepEqual(
      byEmail.data.map(({ type }: { type: string }) => type),
      ['session-ended', 'signed-in']
    )
    assert.deepEqual(byId, byEmail)
    assert.equal(signIns.total, 2)
    assert.ok(signIns.data.every(({ type }: { type: string }) => type === 'signed-in'))
  })

  it('prints pages in JSON, as GET /events answers them', async () => {
    const page = await json('--limit', '1', '--skip', '1')
    const whole = await json()

    assert.deepEqual(page, { total: 3, limit: 1, skip: 1, data: [whole.data[1]] })
    assert.equal(whole.data[0].createdAt, new Date(t.clock.now).toISOString())
    assert.ok(whole.data.every((event: object) => !('deviceKey' in event)))
  })

  it('shows the events of a deleted user, by id', async () => {
    const bob = await newPerson(t)

    await bob.ask('DELETE', `/users/${bob.id}`)
    await poll(async () => (await stored(bob.id)) === 3, 'the events of a deleted user')

    const { stdout } = await moult(['events', 'list', bob.id])

    assert.match(stdout, new RegExp(`user-deleted +${bob.id}`))
    assert.match((await moult(['events', 'list', bob.email])).stderr, /^There is no user with the email/)
  })

  it('refuses an unknown type', async () => {
    const { code, stderr } = await moult(['events', 'list', '--type', 'lunch'])

    assert.equal(code, 2)
    assert.match(stderr, /'lunch'.*signed-in/)
  })
})

describe('moult events list without the setting events', () => {
  it('says that there is no audit trail', () =>
    withApp({ settings: { events: false } }, async (t) => {
      const { code, stderr } = await moultOn(t)(['events', 'list'], {
        env: { NODE_CONFIG: '{"events": false}' }
      })

      assert.equal(code, 1)
      assert.match(
        stderr,
        /^There is no audit trail: write an object into the setting events \(docs\/events\.md\)$/
      )
    }))
})
