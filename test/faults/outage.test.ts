import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { startAppOnBreakable, type AppOnBreakable } from '../support/breakable-mongod.js'
import { newPerson, type Person } from '../support/people.js'
import { atOnce, password, restClient, tally, type Answer, type RestClient } from '../support/rest.js'
import { poll } from '../support/socket.js'

const longest = 15_000 // ms that any request may take

const keyOf = ({ id }: Person) => `of ${id}`

type Calls = Record<string, () => Promise<Answer>>

describe('while the database is away', () => {
  let own: AppOnBreakable
  let mongod: AppOnBreakable['mongod']
  let t: TestApp
  let client: RestClient

  before(async () => {
    own = await startAppOnBreakable()
    ;({ mongod, t } = own)
    client = restClient(t.address)
  })
  after(() => own?.end())

  /** One call of each kind, each by someone else: what one does is not to change what another answers. */
  async function callsOf(people: Person[]): Promise<Calls> {
    const [a, b, c, d, e, f, g] = people as [Person, Person, Person, Person, Person, Person, Person]

    return {
      'GET /health': () => client.ask('GET', '/health'),
      'POST /users': () => client.ask('POST', '/users', { body: { email: `new-${a.email}`, password } }),
      'local, right': () => client.signIn(a.email),
      'local, wrong': () => client.signIn(a.email, { password: 'wrong horse' }),
      'local, unknown': () => client.signIn('nobody@example.com'),
      jwt: () => client.authenticate({ strategy: 'jwt', accessToken: a.accessToken }),
      'refresh-token': () => client.refresh(b.refreshToken, { idempotencyKey: keyOf(b) }),
      'DELETE /authentication': () => c.ask('DELETE', '/authentication'),
      'GET /users': () => a.ask('GET', '/users'),
      'GET /users/:id': () => a.ask('GET', `/users/${a.id}`),
      'PATCH /users/:id': () => a.ask('PATCH', `/users/${a.id}`, { body: { name: 'Ada' } }),
      'PATCH /users/:id, password': () =>
        d.ask('PATCH', `/users/${d.id}`, { body: { password: 'another horse', currentPassword: password } }),
      'DELETE /users/:id': () => e.ask('DELETE', `/users/${e.id}`),
      'GET /sessions': () => a.ask('GET', '/sessions'),
      'GET /sessions/:id': () => a.ask('GET', `/sessions/${a.session.id}`),
      'PATCH /sessions/:id': () =>
        a.ask('PATCH', `/sessions/${a.session.id}`, { body: { device: { name: 'Phone' } } }),
      'DELETE /sessions/:id': () => f.ask('DELETE', `/sessions/${f.session.id}`),
      'DELETE /sessions': () => g.ask('DELETE', '/sessions'),
      'GET /content/user': () => a.ask('GET', '/content/user')
    }
  }

  /** All at once, each with a 503 in time. */
  async function assertUnavailable(calls: Calls): Promise<void> {
    await Promise.all(
      Object.entries(calls).map(async ([what, call]) => {
        const start = performance.now()
        const { status, body } = await call()
        const time = performance.now() - start

        assert.equal(status, 503, `${what} is answered by ${status}`)
        assert.equal(body.name, 'Unavailable', what)
        assert.doesNotMatch(JSON.stringify(body), /127\.0\.0\.1|mongo/i)
        assert.ok(time < longest, `${what} takes ${time} ms`)
      })
    )
  }

  const isBack = () =>
    poll(async () => (await client.ask('GET', '/health')).status === 200, 'the database to be back', 30_000)

  /** The tokens of before are as good as they were. */
  async function assertSignedIn({ accessToken }: Person, other: Person): Promise<void> {
    assert.equal((await client.ask('GET', '/sessions', { token: accessToken })).status, 200)
    assert.equal((await client.authenticate({ strategy: 'jwt', accessToken })).status, 201)

    const { status, body } = await client.refresh(other.refreshToken, {
      idempotencyKey: keyOf(other)
    })

    assert.equal(status, 201)
    assert.equal((await client.refresh(body.refreshToken)).status, 201)
  }

  const sevenPeople = () => atOnce(7, () => newPerson(t))

  it('killed: every call is 503 in time, and all works as before when it is back', async () => {
    const people = await sevenPeople()
    const calls = await callsOf(people)

    await mongod.kill()
    await assertUnavailable(calls)
    // Once more, now that the driver knows
    await assertUnavailable(calls)

    await mongod.restart()
    await isBack()

    for (const person of people.slice(1)) {
      await assertSignedIn(people[0]!, person)
    }
  })

  it('frozen: every call is 503 in time, and the service is back when it is', async () => {
    const people = await sevenPeople()
    const calls = await callsOf(people)

    mongod.freeze()

    try {
      await assertUnavailable(calls)
      await assertUnavailable(calls)
    } finally {
      mongod.thaw()
    }

    await isBack()
    await assertSignedIn(people[0]!, people[1]!)
  })

  it('at the start: the service starts, answers 503, and works once the database is there', async () => {
    const person = await newPerson(t)

    await mongod.kill()

    const start = performance.now()
    const late = await startApp()
    const lateClient = restClient(late.address)

    try {
      assert.ok(performance.now() - start < longest)

      const answers = [
        await lateClient.ask('GET', '/health'),
        await lateClient.signIn(person.email),
        await lateClient.ask('POST', '/users', { body: { email: 'late@example.com', password } }),
        await lateClient.ask('GET', '/sessions', { token: person.accessToken })
      ]

      assert.deepEqual(tally(answers), { 503: 4 })

      // From the first moment on: without the index all of them would get the email
      const signUps: Answer[] = []
      const restarted = mongod.restart()

      await poll(
        async () => {
          const answers = await atOnce(20, () =>
            lateClient.ask('POST', '/users', { body: { email: 'late@example.com', password } })
          )

          return signUps.push(...answers) && answers.every(({ status }) => status === 409)
        },
        'the start',
        30_000
      )
      await restarted

      const { 503: _away, ...outcomes } = tally(signUps)

      assert.deepEqual(Object.keys(outcomes), ['201', '409'])
      assert.equal(outcomes['201'], 1)
      assert.equal((await lateClient.ask('GET', '/health')).status, 200)
      assert.equal((await lateClient.signIn(person.email)).status, 401)
    } finally {
      await late.stop()
    }
  })
})
