import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { startAppOnBreakable, type AppOnBreakable } from '../support/breakable-mongod.js'
import { newPerson, type Person } from '../support/people.js'
import { password, restClient, type Answer, type RestClient } from '../support/rest.js'
import { poll } from '../support/socket.js'

const connections: [string, (url: string) => string][] = [
  ['to the replica set', (url) => url],
  ['to the one server', (url) => url.replace(/replicaSet=\w+/, 'directConnection=true')]
]

for (const [how, urlOf] of connections) {
  describe(`a database that has no primary for a while, with a connection ${how}`, () => {
    let own: AppOnBreakable
    let mongod: AppOnBreakable['mongod']
    let t: TestApp
    let client: RestClient
    let ada: Person
    let bob: Person

    before(async () => {
      own = await startAppOnBreakable(urlOf)
      ;({ mongod, t } = own)
      client = restClient(t.address)
    })
    beforeEach(async () => {
      ada = await newPerson(t)
      bob = await newPerson(t)
    })
    afterEach(() => mongod.becomePrimary())
    after(() => own?.end())

    const isHealthy = async ({ address }: TestApp) =>
      (await restClient(address).ask('GET', '/health')).status === 200
    const canWrite = async () =>
      (await ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } })).status === 200

    it('answers as ever, or 503', async () => {
      const calls: (() => Promise<Answer>)[] = [
        () => client.ask('POST', '/users', { body: { email: `new-${ada.email}`, password } }),
        () => client.signIn(ada.email),
        () => client.refresh(ada.refreshToken, { idempotencyKey: 'key' }),
        () => client.authenticate({ strategy: 'jwt', accessToken: ada.accessToken }),
        () => ada.ask('GET', '/users'),
        () => ada.ask('PATCH', `/users/${ada.id}`, { body: { name: 'Ada' } }),
        () => ada.ask('GET', '/sessions'),
        () => ada.ask('PATCH', `/sessions/${ada.session.id}`, { body: { device: { name: 'Phone' } } }),
        () => ada.ask('GET', '/content/user'),
        () => bob.ask('DELETE', `/users/${bob.id}`)
      ]

      await mongod.stepDown()

      const answers = await Promise.all(calls.map((call) => call()))

      for (const { status, body } of answers) {
        assert.ok(status < 300 || status === 503, `${status} ${body.message}`)
      }

      await poll(canWrite, 'a primary', 30_000)
      assert.equal((await client.refresh(ada.refreshToken, { idempotencyKey: 'key' })).status, 201)
    })

    it('keeps no service from starting', async () => {
      await mongod.stepDown()

      const other = await startApp({ database: t.db.databaseName })

      try {
        await poll(() => isHealthy(other), 'the start', 30_000)
        assert.equal((await restClient(other.address).signIn(ada.email)).status, 201)
      } finally {
        await other.stop()
      }
    })
  })
}
