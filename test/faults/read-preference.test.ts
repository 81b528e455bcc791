import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startApp, withApp, type TestApp } from '../support/app.js'
import { newPerson } from '../support/people.js'
import { restClient } from '../support/rest.js'

// The set has a primary alone: whatever is asked of a secondary finds none
const setName = 'moult'
const readPreference = 'secondary'

describe('the primary is asked, as a secondary may not know yet that a session has ended,', () => {
  let t: TestApp

  before(async () => {
    t = await startApp()
  })
  after(() => t.stop())

  const urlOf = (url: string, options: Record<string, string>) => {
    const changed = new URL(url)

    changed.searchParams.delete('directConnection')
    Object.entries(options).forEach(([name, value]) => changed.searchParams.set(name, value))
    return changed.href
  }

  it('despite the connection string', async () => {
    const mongodb = urlOf(t.url, { replicaSet: setName, readPreference })

    await withApp({ database: t.db.databaseName, settings: { mongodb } }, async (own) => {
      const ada = await newPerson(own)

      assert.equal((await ada.ask('GET', '/sessions')).body.length, 1)
      assert.equal((await ada.ask('GET', `/users/${ada.id}`)).status, 200)
      assert.equal((await ada.ask('DELETE', '/authentication')).status, 200)
    })
  })

  it('for sessions, despite the options of the users collection', async () => {
    const mongodb = urlOf(t.url, { replicaSet: setName })

    await withApp({ database: t.db.databaseName, settings: { mongodb } }, async (own) => {
      const ada = await newPerson(own)
      const client = restClient(own.address)
      const { options } = own.app.service('users')

      options.Model = own.app.get('database').collection('users').db.collection('users', { readPreference })
      assert.equal((await ada.ask('GET', '/sessions')).status, 200)
      assert.equal((await client.refresh(ada.refreshToken)).status, 201)
      assert.equal((await client.refresh(ada.refreshToken)).status, 201)
      assert.equal((await ada.ask('DELETE', '/authentication')).status, 200)
      assert.equal((await client.refresh(ada.refreshToken)).body.data.reason, 'revoked')
    })
  })
})
