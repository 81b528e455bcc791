import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from '../../support/app.js'
import { callsOf } from '../../support/database-calls.js'
import { newPerson, type Person } from '../../support/people.js'
import { restClient } from '../../support/rest.js'
import { poll } from '../../support/socket.js'

describe('a user in memory', () => {
  let t: TestApp
  let ada: Person, admin: Person

  before(async () => {
    t = await startApp({ settings: { events: false } })
    await poll(() => changesOf(t).isFresh, 'the change stream')
    admin = await newPerson(t, 'admin')
  })
  beforeEach(async () => {
    ada = await newPerson(t)
  })
  after(() => t.stop())

  const board = async (name = 'user') => (await ada.ask('GET', `/content/${name}`)).status

  it('answers authenticated calls without the database', async () => {
    // What came with the sign-up is told by the stream, and then ada is read anew
    await poll(async () => (await callsOf(t, () => board())).length === 0, 'a call that asks nothing')

    const calls = await callsOf(t, async () => {
      for (const name of ['public', 'user', 'user', 'user']) {
        assert.equal(await board(name), 200)
      }
    })

    assert.deepEqual(calls, [])
  })

  it('answers users what is stored of them without the database, and what they changed at once', async () => {
    const path = `/users/${ada.id}`
    const nameOf = async (query = '') => (await ada.ask('GET', path + query)).body.name

    await poll(async () => (await callsOf(t, () => nameOf())).length === 0, 'a call that asks nothing')

    for (const name of ['Ada', 'Countess', 'Ada']) {
      assert.equal((await ada.ask('PATCH', path, { body: { name } })).status, 200)
      assert.equal(await nameOf(), name)
      assert.equal(await nameOf('?$select[]=name'), name)
    }

    const { body } = await ada.ask('GET', path)

    assert.deepEqual(Object.keys(body).toSorted(), [
      ...['_id', 'createdAt', 'disabled', 'email', 'name', 'roles']
    ])
  })

  it('needs one database call for a refresh', async () => {
    const client = restClient(t.address)
    let { refreshToken } = ada

    for (let round = 0; round < 5; round++) {
      const calls = await callsOf(t, async () => {
        refreshToken = (await client.refresh(refreshToken)).body.refreshToken
      })

      assert.deepEqual(calls, ['findAndModify users'])
    }
  })

  it('has what this instance changed at the next call, even if others read in the meantime', async () => {
    for (let round = 0; round < 10; round++) {
      const roles = round % 2 ? ['user'] : ['moderator']
      const asks = Array.from({ length: 20 }, () => board('moderator'))

      assert.equal((await admin.ask('PATCH', `/users/${ada.id}`, { body: { roles } })).status, 200)
      assert.equal(await board('moderator'), round % 2 ? 403 : 200)
      await Promise.all(asks)
      assert.equal(await board('moderator'), round % 2 ? 403 : 200)
    }
  })

  it('is no longer signed in once the session has ended here', async () => {
    for (let round = 0; round < 10; round++) {
      const { accessToken, session } = await ada.signIn()
      const asks = Array.from({ length: 20 }, () => ada.ask('GET', '/content/user', { token: accessToken }))

      await ada.ask('DELETE', `/sessions/${session.id}`)

      const { status, body } = await ada.ask('GET', '/content/user', { token: accessToken })

      assert.deepEqual([status, body.data.reason], [401, 'revoked'])
      await Promise.all(asks)
      assert.equal((await ada.ask('GET', '/content/user', { token: accessToken })).status, 401)
    }
  })

  it('is copied for each call: what one changes, the next does not see', async () => {
    await board()
    t.app.service('content').hooks({
      after: {
        get: [
          async ({ params }) => {
            params.user?.roles.push('admin')
          }
        ]
      }
    })

    assert.deepEqual([await board(), await board(), await board('admin')], [200, 200, 403])
  })

  it('is not affected by rotations', async () => {
    let heard = 0

    await poll(async () => (await callsOf(t, () => board())).length === 0, 'a call that asks nothing')
    changesOf(t).on('changed', () => heard++)

    const client = restClient(t.address)
    let { refreshToken } = ada

    for (let round = 0; round < 10; round++) {
      refreshToken = (await client.refresh(refreshToken, { idempotencyKey: `${round}` })).body.refreshToken
    }

    // The stream tells in order: what has not come before this was not sent
    await t.db.collection('users').insertOne({ email: 'last@example.com' })
    await poll(() => heard > 0, 'the change after the rotations')
    assert.equal(heard, 1)
  })
})

describe('the memory for users', () => {
  it('is limited, and evicted users are read again', async () => {
    const t = await startApp({
      settings: { authentication: { 'refresh-token': { cache: { bytes: 5000 } } } }
    })

    try {
      await poll(() => changesOf(t).isFresh, 'the change stream')

      const [first, ...others] = await Promise.all(Array.from({ length: 8 }, () => newPerson(t)))
      const asks = () => callsOf(t, () => first!.ask('GET', '/content/user'))

      await poll(async () => (await asks()).length === 0, 'a call that asks nothing')

      for (const { ask } of others) {
        assert.equal((await ask('GET', '/content/user')).status, 200)
      }

      assert.deepEqual([await asks(), await asks()], [['find users'], []])
    } finally {
      await t.stop()
    }
  })
})

describe('a collection of users that is dropped', () => {
  it('is followed again once it exists again', async () => {
    const t = await startApp()

    try {
      const changes = changesOf(t)
      const ada = await newPerson(t)
      const heard: string[] = []

      await poll(() => changes.isFresh, 'the change stream')
      assert.equal((await ada.ask('GET', '/content/user')).status, 200)
      changes.on('changed', ({ userId }) => heard.push(userId))
      await t.db.collection('users').drop()
      await poll(async () => (await ada.ask('GET', '/content/user')).status === 401, 'the refusal', 1000)
      await poll(() => changes.isFresh, 'the new stream')

      const { insertedId } = await t.db.collection('users').insertOne({ email: 'bob@example.com' })

      await poll(() => heard.includes(String(insertedId)), 'the change', 1000)
    } finally {
      await t.stop()
    }
  })
})

const changesOf = ({ app }: TestApp) => app.service('authentication').live.changes
