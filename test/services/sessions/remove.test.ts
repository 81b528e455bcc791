import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, type Person } from '../../support/people.js'
import { atOnce, restClient, tally, type RestClient } from '../../support/rest.js'

describe('DELETE /sessions', () => {
  let t: TestApp
  let client: RestClient
  let ada: Person
  // eslint-disable-next-line typescript/no-explicit-any -- bodies of answers
  let phone: any, tablet: any

  before(async () => {
    t = await startApp()
    client = restClient(t.address)
  })
  beforeEach(async () => {
    ada = await newPerson(t)
    t.clock.advance(1000)
    phone = await ada.signIn()
    t.clock.advance(1000)
    tablet = await ada.signIn()
  })
  after(() => t.stop())

  /** What the tokens of these logins get: 'live', or why not. */
  async function states(...logins: { accessToken: string; refreshToken: string }[]): Promise<string[]> {
    const states = logins.map(async ({ accessToken, refreshToken }) => {
      const access = await client.ask('GET', '/content/user', { token: accessToken })
      const refresh = await client.refresh(refreshToken)
      const [a, b] = [access, refresh].map(({ status, body }) => (status < 300 ? 'live' : body.data.reason))

      assert.equal(a, b)
      return a
    })

    return Promise.all(states)
  }

  it('/:id ends that one, and answers it', async () => {
    const { status, body } = await ada.ask('DELETE', `/sessions/${phone.session.id}`)

    assert.equal(status, 200)
    assert.deepEqual(body, { ...phone.session, current: false })
    assert.deepEqual(await states(ada, phone, tablet), ['live', 'revoked', 'live'])
    assert.equal((await ada.ask('DELETE', `/sessions/${phone.session.id}`)).status, 404)
  })

  it("/:id ends the caller's own session", async () => {
    const { status, body } = await ada.ask('DELETE', `/sessions/${ada.session.id}`)

    assert.equal(status, 200)
    assert.equal(body.current, true)
    assert.deepEqual(await states(ada, phone, tablet), ['revoked', 'live', 'live'])
  })

  it('ends all, and answers them, newest first', async () => {
    for (const path of ['/sessions', '/sessions/']) {
      const eva = await newPerson(t)

      t.clock.advance(1000)
      const { session } = await eva.signIn()
      const { status, body } = await eva.ask('DELETE', path)

      assert.equal(status, 200)
      assert.deepEqual(body, [{ ...session, current: false }, eva.session])
      assert.equal((await eva.ask('GET', '/sessions')).body.data.reason, 'revoked')
    }

    assert.deepEqual(await states(ada, phone, tablet), ['live', 'live', 'live'])
  })

  it("?current=false ends all but the caller's session", async () => {
    const { status, body } = await ada.ask('DELETE', '/sessions?current=false')

    assert.equal(status, 200)
    assert.deepEqual(
      body.map(({ id }: { id: string }) => id),
      [tablet.session.id, phone.session.id]
    )
    assert.deepEqual(await states(ada, phone, tablet), ['live', 'revoked', 'revoked'])
    assert.deepEqual((await ada.ask('DELETE', '/sessions?current=false')).body, [])
  })

  it('answers 400 and ends nothing for any other query', async () => {
    const one = `/sessions/${ada.session.id}`
    const paths = [
      '/sessions?current=true',
      '/sessions?current=',
      '/sessions?current=0',
      '/sessions?current[$ne]=true',
      '/sessions?curent=false',
      '/sessions?id=x',
      `${one}?current=false`,
      `${one}?x=y`
    ]

    for (const path of paths) {
      assert.equal((await ada.ask('DELETE', path)).status, 400, path)
    }

    assert.deepEqual(await states(ada, phone, tablet), ['live', 'live', 'live'])
  })

  it('answers 401 without a token, and ends nothing', async () => {
    for (const path of ['/sessions', `/sessions/${ada.session.id}`]) {
      assert.equal((await client.ask('DELETE', path)).status, 401)
    }

    assert.deepEqual(await states(ada, phone, tablet), ['live', 'live', 'live'])
  })

  it('happens once, even if many requests come at once', async () => {
    for (let round = 0; round < 5; round++) {
      const { session } = await ada.signIn()
      const answers = await atOnce(20, () => ada.ask('DELETE', `/sessions/${session.id}`))

      assert.deepEqual(tally(answers), { 200: 1, 404: 19 })
    }
  })
})
