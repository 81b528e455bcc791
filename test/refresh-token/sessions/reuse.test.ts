import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { endedBy } from '../../support/events.js'
import { newPerson, stored } from '../../support/people.js'
import { rounds } from '../../support/race.js'
import { atOnce, outcome, restClient, tally, type RestClient } from '../../support/rest.js'

const many = 20

const idsOf = async (t: TestApp, email: string): Promise<string[]> =>
  (await stored(t, email)).sessions.map(({ id }: { id: string }) => id)

describe('reuse: device, with rotation', () => {
  const device = { id: 'phone' }
  let t: TestApp
  let client: RestClient

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
  })

  after(() => t.stop())

  it('a login replaces the session of its device', async () => {
    const person = await newPerson(t, 'user', { device })
    let login: Awaited<ReturnType<typeof person.signIn>>

    const ended = await endedBy(t, async () => {
      login = await person.signIn({ device })
    })

    assert.deepEqual(ended, [[person.session.id, 'replaced']])
    assert.notEqual(login.session.id, person.session.id)
    assert.deepEqual(await idsOf(t, person.email), [login.session.id])
  })

  it('the tokens of the session replaced are `revoked` and end nothing', async () => {
    const person = await newPerson(t, 'user', { device })
    const { refreshToken: successor } = (await client.refresh(person.refreshToken)).body
    const login = await person.signIn({ device })

    // used before or not: neither is `reused`
    assert.equal(outcome(await client.refresh(person.refreshToken)), '401 revoked')
    assert.equal(outcome(await client.refresh(successor)), '401 revoked')
    assert.equal(outcome(await person.ask('GET', '/sessions')), '401 revoked')
    assert.equal((await client.ask('GET', '/sessions', { token: login.accessToken })).status, 200)
    assert.equal(outcome(await client.refresh(login.refreshToken)), '201')
  })

  it('of many logins of one device at once, one session is left', () =>
    rounds(async () => {
      const { email } = await client.signUp()
      let answers: Awaited<ReturnType<typeof client.signIn>>[] = []

      const ended = await endedBy(t, async () => {
        answers = await atOnce(many, () => client.signIn(email, { device }))
      })

      assert.deepEqual(tally(answers), { '201': many })
      assert.equal((await idsOf(t, email)).length, 1)
      assert.equal(new Set(ended.map(([id]) => id)).size, many - 1)
      assert.deepEqual(new Set(ended.map(([, reason]) => reason)), new Set(['replaced']))

      const refreshes = await atOnce(many, (index) => client.refresh(answers[index]!.body.refreshToken))

      assert.deepEqual(tally(refreshes), { '201': 1, '401 revoked': many - 1 })
    }))

  it('a login that names no device id replaces nothing, and is replaced by none', async () => {
    const person = await newPerson(t)

    const ended = await endedBy(t, async () => {
      await person.signIn({ device: { name: 'Phone' } })
      await person.signIn({ device: { name: 'Phone' } })
      await person.signIn({ device: {} })
      await person.signIn({ device })
    })

    assert.deepEqual(ended, [])
    assert.equal((await idsOf(t, person.email)).length, 5)
  })

  it('other devices stay, and other users with the same device', async () => {
    const other = await newPerson(t, 'user', { device })
    const person = await newPerson(t, 'user', { device })
    const laptop = await person.signIn({ device: { id: 'laptop' } })
    const ended = await endedBy(t, () => person.signIn({ device }))

    assert.deepEqual(ended, [[person.session.id, 'replaced']])
    assert.equal(outcome(await client.refresh(laptop.refreshToken)), '201')
    assert.equal(outcome(await client.refresh(other.refreshToken)), '201')
  })

  it('a device id is text, even if it looks like an operator', async () => {
    const person = await newPerson(t, 'user', { device })
    const others = ['$$this.device.id', '$sessions.device.id', '$$ROOT', 'Phone', 'phone ']

    for (const id of [...others, '$$ROOT']) {
      await person.signIn({ device: { id } })
    }

    const { sessions } = await stored(t, person.email)

    assert.deepEqual(
      sessions.map((session: { device: { id: string } }) => session.device.id).sort(),
      ['phone', ...others].sort()
    )
  })
})

describe('reuse: never, with rotation', () => {
  it('a login of the same device keeps the earlier session', () =>
    withApp({ settings: { authentication: { 'refresh-token': { reuse: 'never' } } } }, async (t) => {
      const device = { id: 'phone' }
      const person = await newPerson(t, 'user', { device })
      const ended = await endedBy(t, () => person.signIn({ device }))

      assert.deepEqual(ended, [])
      assert.equal((await idsOf(t, person.email)).length, 2)
      assert.equal(outcome(await restClient(t.address).refresh(person.refreshToken)), '201')
    }))
})
