import type { Collection } from 'mongodb'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { User } from '../../../src/services/users/users.schema.js'
import { startApp, type TestApp } from '../../support/app.js'
import { newPerson, stored } from '../../support/people.js'
import { outcome, restClient } from '../../support/rest.js'

const device = { id: 'phone' }

for (const rotation of [true, false]) {
  describe(`a login that is overtaken after its password was verified, rotation: ${rotation}`, () => {
    let t: TestApp
    let overtake: ((users: Collection, email: string) => Promise<unknown>) | undefined

    before(async () => {
      t = await startApp({
        settings: { authentication: { 'refresh-token': { rotation } } },
        // The last thing that happens before the session opens
        configure: (app) =>
          app.service('users').hooks({
            after: {
              get: [
                async ({ params, result }) => {
                  await (params.provider && overtake?.(t.db.collection('users'), (result as User).email))
                }
              ]
            }
          })
      })
    })

    after(() => t.stop())

    /** Signs in, and is overtaken; the session there was before it is of the same device. */
    async function signIn(change: NonNullable<typeof overtake>) {
      const person = await newPerson(t, 'user', { device })

      overtake = change

      try {
        return { person, answer: await restClient(t.address).signIn(person.email, { device }) }
      } finally {
        overtake = undefined
      }
    }

    const idsOf = async (email: string) =>
      (await stored(t, email)).sessions.map(({ id }: { id: string }) => id)

    it('by a new password is refused, and gets no session', async () => {
      const { person, answer } = await signIn((users, email) =>
        users.updateOne({ email }, { $set: { password: 'another hash' } })
      )
      const wrong = await restClient(t.address).signIn(person.email)

      assert.equal(outcome(answer), '401')
      assert.deepEqual(answer.body, wrong.body)
      assert.deepEqual(await idsOf(person.email), [person.session.id])
      assert.equal(outcome(await person.ask('GET', '/sessions')), '200')
    })

    it('by the end of the account is `disabled`, and gets no session', async () => {
      const { person, answer } = await signIn((users, email) =>
        users.updateOne({ email }, { $set: { disabled: true } })
      )

      assert.equal(outcome(answer), '401 disabled')
      assert.deepEqual(await idsOf(person.email), [person.session.id])
    })

    it('by the deletion of the user is refused like that of an unknown user', async () => {
      const { person, answer } = await signIn((users, email) => users.deleteOne({ email }))

      assert.equal(outcome(answer), '401')
      assert.deepEqual(answer.body, (await restClient(t.address).signIn(person.email)).body)
    })

    it('by the end of all sessions still gets its own', async () => {
      const { person, answer } = await signIn((users, email) =>
        users.updateOne({ email }, { $set: { sessions: [] } })
      )

      assert.equal(outcome(answer), '201')
      assert.notEqual(answer.body.session.id, person.session.id)
      assert.equal(outcome(await restClient(t.address).refresh(answer.body.refreshToken)), '201')
    })
  })
}
