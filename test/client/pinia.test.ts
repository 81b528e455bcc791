import { createPiniaClient, useAuth } from 'feathers-pinia'
import { createPinia } from 'pinia'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, type TestApp } from '../support/app.js'
import { newPerson } from '../support/people.js'
import { refreshTransports } from '../support/refresh-clients.js'
import { atOnce, password } from '../support/rest.js'

const minutes = 60_000 // ms

for (const [name, connectTo] of Object.entries(refreshTransports)) {
  describe(`useAuth of feathers-pinia on the ${name}`, () => {
    let t: TestApp

    before(async () => {
      t = await startApp()
    })
    after(() => t.stop())

    it('signs in, stays signed in, resumes at the next start, and signs out', async () => {
      const options = { clock: { now: () => t.clock.now } }
      const one = connectTo(t.address, { options })
      // Its types are of other versions of Feathers
      const api: any = createPiniaClient(one.client as any, { pinia: createPinia(), idField: '_id' })
      const auth = useAuth({ api, servicePath: 'users' })
      const { email, id } = await newPerson(t)

      await auth.authenticate({ strategy: 'local', email, password })
      assert.equal(auth.isAuthenticated.value, true)
      assert.equal(auth.user.value.email, email)

      t.clock.advance(15 * minutes)
      await atOnce(10, () => api.service('users').get(id))
      await api.service('users').patch(id, { name: 'Ada' })
      assert.equal(auth.user.value.name, 'Ada')
      assert.equal(one.heard('refreshed'), 1)

      const later = connectTo(t.address, { options: { ...options, storage: one.storage } })
      const again: any = createPiniaClient(later.client as any, { pinia: createPinia(), idField: '_id' })
      const auth2 = useAuth({ api: again, servicePath: 'users' })

      await auth2.reAuthenticate()
      assert.equal(auth2.isInitDone.value, true)
      assert.equal(auth2.user.value._id, id)

      await auth2.logout()
      assert.equal(auth2.isAuthenticated.value, false)
      assert.equal(auth2.user.value, null)
      one.close()
      later.close()
    })
  })
}

// Feathers-pinia leaves a timer running, which would keep this process alive for ever
after(() => setTimeout(() => process.exit(), 1000).unref())
