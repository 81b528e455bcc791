import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { authenticator } from '../../support/authenticator.js'
import { withPasskeys } from '../../support/passkeys.js'
import { rounds } from '../../support/race.js'
import { atOnce, tally } from '../../support/rest.js'
import { makePlace, type Place, type TestService } from '../../support/service.js'

const origin = 'http://localhost:5173' // of a page that both processes serve

describe('a passkey challenge on two processes', () => {
  let place: Place
  let services: TestService[]

  before(async () => {
    place = await makePlace()

    const { NODE_CONFIG } = place.environment()
    const settings = { ...JSON.parse(NODE_CONFIG!), ...withPasskeys(origin), rateLimit: false }

    services = [
      await place.start({ NODE_CONFIG: JSON.stringify(settings) }),
      await place.start({ NODE_CONFIG: JSON.stringify(settings) })
    ]
  })
  after(() => place.remove())

  it('signs in once, however many use it at once', async () => {
    const [{ client }] = services as [TestService]
    const device = authenticator(origin)
    const signUp = await client.ask('POST', '/passkey-challenges', { body: { purpose: 'sign-up' } })
    const { status } = await client.ask('POST', '/users', {
      body: {
        email: `${randomUUID()}@example.com`,
        passkey: { challenge: signUp.body.id, response: device.create(signUp.body.options) }
      }
    })

    assert.equal(status, 201)

    await rounds(async () => {
      const { body } = await client.ask('POST', '/passkey-challenges', { body: { purpose: 'sign-in' } })
      const answers = await atOnce(50, (index) =>
        services[index % 2]!.client.authenticate({
          strategy: 'passkey',
          challenge: body.id,
          response: device.get(body.options)
        })
      )

      assert.deepEqual(tally(answers), { '201': 1, '401 expired': 49 })
    })
  })

  it('adds one passkey, and gives one that many register to one of them', async () => {
    await rounds(async () => {
      const credentialId = Buffer.from(randomUUID()).toString('base64url')
      const answers = await atOnce(20, async (index) => {
        const { client } = services[index % 2]!
        const { body } = await client.ask('POST', '/passkey-challenges', { body: { purpose: 'sign-up' } })

        return client.ask('POST', '/users', {
          body: {
            email: `${randomUUID()}@example.com`,
            passkey: {
              challenge: body.id,
              response: authenticator(origin).create(body.options, { credentialId })
            }
          }
        })
      })

      assert.deepEqual(tally(answers), { '201': 1, '409': 19 })
    })
  })
})
