import {
  BadRequest,
  Conflict,
  Forbidden,
  MethodNotAllowed,
  NotAuthenticated,
  NotFound,
  type FeathersError
} from '@feathersjs/errors'
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { refused, storageKey, transports, type OfficialClient } from '../support/clients.js'
import { newPerson } from '../support/people.js'
import { password, restClient } from '../support/rest.js'

for (const [name, connectTo] of Object.entries(transports)) {
  describe(`errors in the official ${name}`, () => {
    let t: TestApp
    let open: OfficialClient

    before(async () => {
      t = await startApp()
    })
    afterEach(() => open.close())
    after(() => t.stop())

    it('gets refusals as NotAuthenticated, with the reason', async () => {
      const { client, storage } = (open = connectTo(t.address))
      const { email, refreshToken, accessToken } = await newPerson(t)
      const refresh = (token: string) =>
        client.authenticate({ strategy: 'refresh-token', refreshToken: token })

      await assert.rejects(
        client.authenticate({ strategy: 'local', email, password: 'wrong horse' }),
        (error) => {
          assert.ok(error instanceof NotAuthenticated)
          assert.equal((error.data as { reason?: string } | undefined)?.reason, undefined)
          return true
        }
      )
      await assert.rejects(refresh('rubbish'), refused('invalid'))
      await assert.rejects(refresh(accessToken), refused('invalid'))
      await assert.rejects(
        client.authenticate({ strategy: 'jwt', accessToken: refreshToken }),
        refused('invalid')
      )

      const elsewhere = restClient(t.address)
      const successor = await elsewhere.refresh(refreshToken)

      await elsewhere.refresh(successor.body.refreshToken)
      await assert.rejects(refresh(refreshToken), refused('reused'))
      await assert.rejects(refresh(refreshToken), refused('revoked'))
      assert.equal(await storage.getItem(storageKey), undefined)
    })

    it('does not take a missing id for all', async () => {
      const { client } = (open = connectTo(t.address))
      const { email, ask } = await newPerson(t)

      await client.authenticate({ strategy: 'local', email, password })

      for (const id of [undefined, ''] as string[]) {
        await assert.rejects(client.service('sessions').remove(id), is(BadRequest, 400))
        await assert.rejects(client.service('users').remove(id), is(BadRequest, 400))
      }
      assert.equal((await ask('GET', '/sessions')).body.length, 2)
    })

    it('gets every other error as the Feathers error that it is', async () => {
      const { client } = (open = connectTo(t.address))
      const { email } = await newPerson(t)

      await client.authenticate({ strategy: 'local', email, password })

      const users = client.service('users')
      const other = await newPerson(t)

      await assert.rejects(users.create({ email, password }), is(Conflict, 409))
      await assert.rejects(users.get(other.id), is(NotFound, 404))
      await assert.rejects(client.service('content').get('admin'), is(Forbidden, 403))
      await assert.rejects(client.service('content').remove('admin'), is(MethodNotAllowed, 405))
      await assert.rejects(client.service('nothing').find(), is(NotFound, 404))
      await assert.rejects(users.create({ email: 'x', password: 'short', roles: ['admin'] }), (error) => {
        assert.ok(error instanceof BadRequest)

        const { errors } = error as BadRequest & { errors: { field: string }[] }

        assert.deepEqual(errors.map(({ field }: { field: string }) => field).sort(), [
          'email',
          'password',
          'roles'
        ])
        return true
      })
    })
  })
}

/** That an error is one of Feathers' classes: by `instanceof`, as apps tell them apart. */
const is = (type: new (...args: never[]) => FeathersError, code: number) => (error: unknown) => {
  assert.ok(error instanceof type, String(error))
  assert.equal(error.code, code)
  return true
}
