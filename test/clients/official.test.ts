import type { MemoryStorage } from '@feathersjs/authentication-client'
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { refused, storageKey, transports, type OfficialClient } from '../support/clients.js'
import { newPerson, stored } from '../support/people.js'
import { password, restClient } from '../support/rest.js'

const minutes = 60_000 // ms

for (const [name, connectTo] of Object.entries(transports)) {
  describe(`the official ${name}`, () => {
    let t: TestApp
    const open: OfficialClient[] = []

    before(async () => {
      t = await startApp()
    })
    afterEach(() => open.splice(0).forEach(({ close }) => close()))
    after(() => t.stop())

    const connect = (storage?: MemoryStorage) => {
      const client = connectTo(t.address, storage)

      open.push(client)
      return client
    }

    /** A client that has signed in, and what that answered. */
    const signedIn = async (role?: 'admin') => {
      const { email, id } = await newPerson(t, role)
      const { client, storage } = connect()
      const login = await client.authenticate({ strategy: 'local', email, password })

      return { client, storage, login, email, id }
    }

    it('signs up and signs in, and calls services as the user', async () => {
      const { client, storage } = connect()
      const email = `${name}@example.com`
      const user = await client.service('users').create({ email, password, name: 'Ada' })
      const login = await client.authenticate({
        strategy: 'local',
        email,
        password,
        device: { name: 'Laptop' }
      })

      assert.deepEqual(login.user, user)
      assert.equal(typeof login.refreshToken, 'string')
      assert.equal(await storage.getItem(storageKey), login.accessToken)

      const [session] = await client.service('sessions').find()

      assert.deepEqual(session, login.session)
      assert.deepEqual(await client.service('users').get(user._id), user)
      assert.equal((await client.service('users').find()).total, 1)
      assert.equal((await client.service('content').get('user')).id, 'user')
      assert.equal((await client.service('users').patch(user._id, { name: 'Countess' })).name, 'Countess')

      const renamed = await client.service('sessions').patch(session.id, { device: { name: 'Phone' } })

      assert.equal(renamed.device.name, 'Phone')
    })

    it('authenticates again with the stored access token, and gets no refresh token for it', async () => {
      const { login, storage } = await signedIn()
      const { client } = connect(storage)
      const again = await client.reAuthenticate()

      assert.deepEqual(again.user, login.user)
      assert.equal(again.accessToken, login.accessToken)
      assert.ok(!('refreshToken' in again))
      assert.equal((await client.service('sessions').find()).length, 2)
    })

    it('refreshes when the access token has expired', async () => {
      const { client, storage, login } = await signedIn()

      t.clock.advance(15 * minutes)
      await assert.rejects(client.service('sessions').find(), refused('expired'))

      const { refreshToken } = login
      const answer = await client.authenticate({ strategy: 'refresh-token', refreshToken })

      assert.equal(answer.session.id, login.session.id)
      assert.equal(await storage.getItem(storageKey), answer.accessToken)
      assert.equal((await client.service('sessions').find()).length, 2)
      assert.deepEqual(await (await client.reAuthenticate(true)).user, login.user)
    })

    it('logs out, once and for all', async () => {
      const { client, storage, login, email } = await signedIn()
      const { accessToken } = login
      const answer = await client.logout()

      assert.equal(answer!.accessToken, accessToken)
      assert.deepEqual(Object.keys(answer!).sort(), ['accessToken', 'authentication', 'user'])
      assert.equal(await storage.getItem(storageKey), undefined)
      assert.ok(!JSON.stringify((await stored(t, email)).sessions).includes(login.session.id))
      await assert.rejects(client.service('sessions').find(), { name: 'NotAuthenticated', code: 401 })
      await assert.rejects(client.reAuthenticate(), { name: 'NotAuthenticated' })

      const other = connect().client

      await assert.rejects(other.authenticate({ strategy: 'jwt', accessToken }), refused('revoked'))
      await assert.rejects(
        other.authenticate({ strategy: 'refresh-token', refreshToken: login.refreshToken }),
        refused('revoked')
      )
    })

    it('signs in again after logging out', async () => {
      const { client, email } = await signedIn()

      await client.logout()

      const again = await client.authenticate({ strategy: 'local', email, password })

      assert.equal((await client.service('sessions').get(again.session.id)).current, true)
      await client.logout()
      await assert.rejects(client.service('sessions').find(), { name: 'NotAuthenticated' })
    })

    it('serves an admin', async () => {
      const { client } = await signedIn('admin')
      const other = await newPerson(t)

      assert.equal((await client.service('users').get(other.id))._id, other.id)

      const sessions = await client.service('sessions').find({ query: { userId: other.id } })

      assert.deepEqual(
        sessions.map(({ id }: { id: string }) => id),
        [other.session.id]
      )
      await client.service('users').patch(other.id, { disabled: true })
      assert.equal((await restClient(t.address).refresh(other.refreshToken)).body.data.reason, 'disabled')
    })

    it('ends all sessions but its own', async () => {
      const { client, login } = await signedIn()
      const ended = await client.service('sessions').remove(null, { query: { current: false } })

      assert.equal(ended.length, 1)
      assert.deepEqual(
        (await client.service('sessions').find()).map(({ id }: { id: string }) => id),
        [login.session.id]
      )
    })

    it('deletes its user', async () => {
      const { client, login, id } = await signedIn()
      const { accessToken } = login

      assert.equal((await client.service('users').remove(id))._id, id)
      await assert.rejects(
        connect().client.authenticate({ strategy: 'jwt', accessToken }),
        refused('revoked')
      )
    })
  })
}
