import authentication, { MemoryStorage } from '@feathersjs/authentication-client'
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { refreshTransports, sessionItem, type RefreshClient } from '../support/refresh-clients.js'
import { stockServer } from '../support/stock-server.js'
import { until } from '../support/until.js'

const ada = { strategy: 'local', email: 'ada@example.com', password: 'lovelace' }
const stockItem = 'feathers-jwt'

/** What an app can see of a client, step by step. */
async function journey(one: RefreshClient, storage: MemoryStorage): Promise<unknown[]> {
  const seen: unknown[] = []
  const note = async (promise: Promise<any>) => {
    const outcome = await promise.then(
      (result) => (result ? Object.keys(result).sort() : result),
      ({ name, code, message }) => ({ name, code, message })
    )

    seen.push(outcome, typeof (await storage.getItem(stockItem)), one.client.authentication.authenticated)
    seen.push(Boolean(one.client.get('authentication')))
  }
  const { client } = one
  const echo = async () => client.service('echo').find()

  await note(client.reAuthenticate())
  await note(client.authenticate({ ...ada, password: 'wrong' }))
  await note(echo())
  await note(client.authenticate(ada))
  seen.push(await echo())
  await note(client.reAuthenticate())
  await note(client.reAuthenticate(true))
  seen.push(await echo())
  await note(client.logout())
  seen.push(await echo())
  await note(client.logout())
  await note(client.authenticate({ strategy: 'jwt', accessToken: 'rubbish' }))
  await note(client.authenticate({ strategy: 'nothing' }))
  await note(client.authenticate(ada))
  seen.push(one.events.map(([name]) => name))
  return seen
}

for (const [name, connectTo] of Object.entries(refreshTransports)) {
  describe(`with stock Feathers on the ${name}`, () => {
    let server: Awaited<ReturnType<typeof stockServer>>
    const open: RefreshClient[] = []

    before(async () => {
      server = await stockServer('1d')
    })
    afterEach(() => open.splice(0).forEach(({ close }) => close()))
    after(() => server.stop())

    const connect = (options = {}) => {
      const one = connectTo(server.address, { options })

      open.push(one)
      return one
    }

    it('does what the stock client does, step by step', async () => {
      const [ours, stocks] = [new MemoryStorage(), new MemoryStorage()]
      const { AuthenticationClient } = authentication

      assert.deepEqual(
        await journey(connect({ storage: ours }), ours),
        await journey(connect({ storage: stocks, Authentication: AuthenticationClient }), stocks)
      )
    })

    it('keeps the access token, resumes with it at the next start, and stores nothing of a session', async () => {
      const one = connect()

      await one.client.authenticate(ada)
      assert.equal(typeof (await one.storage.getItem(stockItem)), 'string')
      assert.equal(await one.storage.getItem(sessionItem), undefined)
      assert.equal(one.authentication.expiresAt, undefined)

      const again = connect({ storage: one.storage })

      assert.equal((await again.client.reAuthenticate()).user.email, ada.email)
      assert.deepEqual(await again.client.service('echo').find(), { user: ada.email })
    })

    if (name === 'socketio-client') {
      it('is signed in again after the connection was lost', async () => {
        const one = connect()

        await one.client.authenticate(ada)

        let isLost = false

        one.client.io.once('disconnect', () => (isLost = true))
        server.app.io.sockets.sockets.forEach(({ conn }: any) => conn.close(true))
        await until('the end', () => isLost)
        assert.deepEqual(await one.client.service('echo').find(), { user: ada.email })
      })
    }
  })
}
