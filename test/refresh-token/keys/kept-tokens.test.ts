import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withApp } from '../../support/app.js'
import { newPerson, stored } from '../../support/people.js'
import { outcome, restClient } from '../../support/rest.js'

const oldSecret = 'the old refresh secret'
const newSecret = 'the new refresh secret'

/** An app without rotation, with these secrets; on another's database. */
const keeping = (secret: string, reuse = 'device', database?: string) => ({
  settings: { authentication: { 'refresh-token': { rotation: false, reuse, secret } } },
  ...(database && { database })
})

describe('rotation: false, when the secret changes', () => {
  it('answers the stored token byte for byte while its key is on the keyring', () =>
    withApp(keeping(oldSecret), async (first) => {
      const device = { id: 'phone' }
      const { email, refreshToken } = await newPerson(first, 'user', { device })

      await withApp(keeping(`${newSecret},${oldSecret}`, 'device', first.db.databaseName), async (t) => {
        const client = restClient(t.address)

        assert.equal((await client.refresh(refreshToken)).body.refreshToken, refreshToken)
        assert.equal((await client.signIn(email, { device })).body.refreshToken, refreshToken)
        assert.notEqual((await client.signIn(email)).body.refreshToken, refreshToken)
      })
    }))

  it('refuses the stored token once its key is gone, and a login of the device replaces the session', () =>
    withApp(keeping(oldSecret), async (first) => {
      const device = { id: 'phone' }
      const { email, refreshToken } = await newPerson(first, 'user', { device })

      await withApp(keeping(newSecret, 'device', first.db.databaseName), async (t) => {
        const client = restClient(t.address)

        assert.equal(outcome(await client.refresh(refreshToken)), '401 invalid')

        const { body } = await client.signIn(email, { device })
        const sessions = (await stored(t, email)).sessions

        assert.deepEqual(
          sessions.map(({ id }: { id: string }) => id),
          [body.session.id]
        )
        assert.equal((await client.refresh(body.refreshToken)).body.refreshToken, body.refreshToken)
        assert.equal((await client.signIn(email, { device })).body.refreshToken, body.refreshToken)
      })
    }))

  it('reuse: user: opens a session whose key is known, which the next logins reuse', () =>
    withApp(keeping(oldSecret, 'user'), async (first) => {
      const { email, refreshToken } = await newPerson(first)

      await withApp(keeping(newSecret, 'user', first.db.databaseName), async (t) => {
        const client = restClient(t.address)
        const { body } = await client.signIn(email)

        assert.equal(outcome(await client.refresh(refreshToken)), '401 invalid')
        assert.notEqual(body.refreshToken, refreshToken)
        assert.equal((await client.signIn(email)).body.refreshToken, body.refreshToken)
      })
    }))
})
