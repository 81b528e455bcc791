import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { authenticator, factorClient, withFactors } from '../support/factors.js'
import { atOnce, restClient, tally } from '../support/rest.js'
import { goodSecrets, makePlace, type Place, type TestService } from '../support/service.js'

const period = 30_000 // ms

describe('factors on two processes', () => {
  let place: Place
  let services: TestService[]

  before(async () => {
    place = await makePlace()

    const { authentication } = withFactors() as { authentication: { factors?: object } }
    const env = {
      ...goodSecrets,
      FACTOR_SECRET: 'dK3mP9vX2cR7tB5nQ8wL1sF6hJ4zY0aG3eU9iO2kN7xM5pV8bC1rT6gD4lW0jS2q',
      NODE_CONFIG: JSON.stringify({
        rateLimit: false,
        data: place.data,
        authentication: { ...authentication, factors: {} }
      })
    }

    services = await atOnce(2, () => place.start(env))
  })
  after(() => place?.remove())

  it('open one session for one code that is given fifty times at once', async () => {
    const [one] = services.map(({ address }) => address) as [string, string]
    const clients = services.map(({ address }) => factorClient(address))
    const { email } = await restClient(one)
      .newLogin()
      .then(({ user }) => user)
    const { accessToken: token } = (await restClient(one).signIn(email)).body
    const client = restClient(one)
    const begun = (await client.ask('POST', '/factors', { token, body: { kind: 'totp' } })).body
    const real = { clock: { now: Date.now(), advance() {} } }
    const app = authenticator(real, begun.secret)
    const confirmed = await client.ask('PATCH', `/factors/${begun.id}`, { token, body: { code: app.code() } })

    const { recoveryCodes } = confirmed.body

    assert.equal(confirmed.status, 200)

    const challenges = await atOnce(50, (index) => clients[index % 2]!.challenge(email))

    // Of the next step, which the drift allows
    real.clock.now = Date.now() + period

    const code = app.code()
    const answers = await Promise.all(
      challenges.map((challenge, index) => clients[index % 2]!.totp(challenge, code))
    )
    const [winner] = answers.filter(({ status }) => status === 201)

    assert.deepEqual(tally(answers), { '201': 1, '401 invalid': 49 })

    const sessions = (await client.ask('GET', '/sessions', { token: winner!.body.accessToken })).body

    assert.equal(sessions.length, 2)

    // To the others it was a wrong code: their challenges stay good
    const others = challenges.filter((_, index) => answers[index] !== winner)

    for (const code of recoveryCodes) {
      assert.equal((await clients[0]!.recover(others.pop()!, code)).status, 201)
    }
  })
})
