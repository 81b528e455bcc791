import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { socketsOf } from '../../support/live.js'
import { newPerson, type Person } from '../../support/people.js'
import { outcome, restClient } from '../../support/rest.js'
import { handmade } from '../../support/tokens.js'

const secret = 'what stock Feathers signed with'
const header = { alg: 'HS256', typ: 'access' }

for (const cache of [{}, { bytes: 0, maxStale: '100ms' }]) {
  describe(`a token of stock Feathers, with ${JSON.stringify(cache)} in memory`, () => {
    let t: TestApp
    let ada: Person
    const sockets = socketsOf(() => t.address)

    before(async () => {
      const stockTokens = { secret, audience: 'stock', issuer: 'feathers' }

      t = await startApp({ settings: { authentication: { 'refresh-token': { stockTokens, cache } } } })
      ada = await newPerson(t)
    })
    after(async () => {
      sockets.closeAll()
      await t.stop()
    })

    const seconds = () => Math.floor(t.clock.now / 1000)
    const claims = (more: object = {}) => ({
      iat: seconds(),
      exp: seconds() + 3600,
      aud: 'stock',
      iss: 'feathers',
      sub: ada.id,
      jti: 'any',
      ...more
    })
    const ask = async (token: string, path = `/users/${ada.id}`) =>
      outcome(await restClient(t.address).ask('GET', path, { token }))

    it('is accepted for calls, with any algorithm for string secrets', async () => {
      for (const [alg, hash] of [
        ['HS256', 'sha256'],
        ['HS384', 'sha384'],
        ['HS512', 'sha512']
      ]) {
        assert.equal(await ask(handmade({ ...header, alg }, claims(), { secret, hash: hash! })), '200')
      }

      assert.equal(
        await ask(handmade({ alg: 'HS256' }, claims({ aud: ['other', 'stock'] }), { secret })),
        '200'
      )
    })

    it('has no session, even if it names one', async () => {
      const token = handmade(header, claims({ sid: ada.session.id }), { secret })
      const { body } = await restClient(t.address).authenticate({ strategy: 'jwt', accessToken: token })

      assert.deepEqual(Object.keys(body).sort(), ['accessToken', 'authentication', 'user'])
      assert.equal(outcome(await restClient(t.address).ask('DELETE', '/authentication', { token })), '200')
      assert.equal(outcome(await ada.ask('GET', '/sessions')), '200')
    })

    it('is refused when anything is wrong with it', async () => {
      const wrong = {
        invalid: [
          handmade(header, claims(), { secret: 'another' }),
          handmade({ ...header, crit: ['b64'] }, claims(), { secret }),
          handmade({ ...header, typ: 'refresh' }, claims(), { secret }),
          handmade({ ...header, typ: 'at+jwt' }, claims(), { secret }),
          handmade({ alg: 'none' }, claims(), { secret }),
          handmade(header, claims({ aud: 'other' }), { secret }),
          handmade(header, claims({ iss: 'other' }), { secret }),
          handmade(header, claims({ sub: undefined }), { secret }),
          handmade(header, claims({ exp: undefined }), { secret }),
          handmade(header, claims({ iat: seconds() + 3600 }), { secret }),
          handmade(header, claims({ nbf: seconds() + 3600 }), { secret })
        ],
        expired: [handmade(header, claims({ exp: seconds() }), { secret })],
        revoked: [handmade(header, claims({ sub: '0123456789abcdef01234567' }), { secret })]
      }

      for (const [reason, tokens] of Object.entries(wrong)) {
        for (const token of tokens) {
          assert.equal(await ask(token), `401 ${reason}`)
        }
      }
    })

    it('serves a socket until it expires', async () => {
      const accessToken = handmade(header, claims({ exp: seconds() + 2, nbf: seconds() }), { secret })
      const socket = await sockets.ofSession({ accessToken })

      assert.equal((await socket.call('get', 'users', ada.id)).email, ada.email)
      t.clock.advance(3000)
      assert.equal(await socket.disconnected(), 'io server disconnect')
    })

    it('is refused while its user is disabled', async () => {
      const token = handmade(header, claims(), { secret })

      await t.app.service('users').patch(ada.id, { disabled: true })
      assert.equal(await ask(token), '401 disabled')
    })
  })
}
