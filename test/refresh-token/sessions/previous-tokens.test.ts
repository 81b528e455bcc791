import { MongoClient } from 'mongodb'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { RefreshTokenStrategy, movePreviousTokens } from '../../../src/refresh-token/index.js'
import { PreviousTokens } from '../../../src/refresh-token/sessions/previous-tokens.js'
import { startApp, withApp, type TestApp } from '../../support/app.js'
import { atOnce, outcome, restClient, tally } from '../../support/rest.js'

const expiresAt = new Date(Date.now() + 60 * 60 * 1000)

describe('refresh tokens of another package', () => {
  let t: TestApp

  before(async () => {
    const authentication = {
      authStrategies: ['jwt', 'local', 'refresh-token', 'refresh'],
      'refresh-token': { previousTokens: true }
    }

    t = await startApp({
      settings: { authentication },
      configure: (app) => app.service('authentication').register('refresh', new RefreshTokenStrategy())
    })
  })
  after(() => t.stop())

  it('are moved in any number, once', async () => {
    const tokens = Array.from({ length: 2500 }, () => ({ token: randomUUID(), userId: 'any', expiresAt }))

    assert.equal(await movePreviousTokens(t.db, tokens), 2500)
    assert.equal(await movePreviousTokens(t.db, [...tokens, { ...tokens[0]!, token: 'one more' }]), 1)
  })

  it('are stored only as hashes', async () => {
    await movePreviousTokens(t.db, [{ token: 'a secret', userId: 'any', expiresAt }])

    assert.doesNotMatch(
      JSON.stringify(await t.db.collection('previousRefreshTokens').find().toArray()),
      /a secret/
    )
  })

  it('are accepted from clients that call the strategy by another name', async () => {
    const client = restClient(t.address)
    const { _id: userId } = await client.signUp()

    await movePreviousTokens(t.db, [{ token: 'of an old client', userId, expiresAt }])
    const { body } = await client.authenticate({ strategy: 'refresh', refreshToken: 'of an old client' })
    const again = await client.authenticate({ strategy: 'refresh', refreshToken: body.refreshToken })

    assert.equal(outcome(again), '201')
    assert.notEqual(again.body.refreshToken, body.refreshToken)
  })

  it('are exchanged for a session of the device they were moved with', async () => {
    const { _id: userId } = await restClient(t.address).signUp()

    await movePreviousTokens(t.db, [{ token: 'of a phone', userId, expiresAt, deviceId: 'phone' }])
    const { body } = await restClient(t.address).refresh('of a phone')

    assert.equal(body.session.device.id, 'phone')
  })

  it('are revoked if their session was ended at that moment', async () => {
    const { sessions } = t.app.service('authentication')
    const { _id: userId } = await restClient(t.address).signUp()
    const tokens = new PreviousTokens({
      collection: async () => t.db.collection('users'),
      sessions: {
        findUser: (id) => sessions.findUser(id),
        list: (id) => sessions.list(id),
        open: (id, opening) => sessions.open(id, opening),
        end: async (id, sid, reason) => {
          await sessions.end(id, sid, 'logout')
          return sessions.end(id, sid, reason)
        }
      },
      leeway: 0,
      now: () => t.clock.now
    })

    await movePreviousTokens(t.db, [{ token: 'used twice', userId, expiresAt }])
    await tokens.use('used twice', undefined, {})
    await assert.rejects(tokens.use('used twice', undefined, {}), { code: 401, data: { reason: 'revoked' } })
  })

  it('are exchanged at the next use if the first one was interrupted', async () => {
    const client = restClient(t.address)
    const { _id: userId } = await client.signUp()
    const idempotencyKey = randomUUID()

    for (const token of ['cut off', 'cut off, and tried by many']) {
      await movePreviousTokens(t.db, [{ token, userId, expiresAt }])
      // What a process leaves that is killed before it has opened the session
      await t.db
        .collection('previousRefreshTokens')
        .updateOne(
          { usedAt: { $exists: false }, userId },
          { $set: { sid: randomUUID(), usedAt: new Date(t.clock.now), key: null } }
        )
    }

    assert.equal(outcome(await client.refresh('cut off')), '201')

    const answers = await atOnce(5, () => client.refresh('cut off, and tried by many', { idempotencyKey }))

    assert.deepEqual(tally(answers), { '201': 5 })
    assert.equal(new Set(answers.map(({ body }) => body.session.id)).size, 1)
  })

  it('are 503 if the first use took so long that another one gave it up', async () => {
    const { sessions } = t.app.service('authentication')
    const client = restClient(t.address)
    const { _id: userId } = await client.signUp()
    const tokens = new PreviousTokens({
      collection: async () => t.db.collection('users'),
      sessions: {
        findUser: (id) => sessions.findUser(id),
        list: (id) => sessions.list(id),
        end: (id, sid, reason) => sessions.end(id, sid, reason),
        open: async (id, opening) => {
          const session = await sessions.open(id, opening)

          await sessions.end(id, session.id, 'replaced')
          await t.db.collection('previousRefreshTokens').updateOne({ userId }, { $unset: { sid: 1 } })
          return session
        }
      },
      leeway: 30_000,
      now: () => t.clock.now
    })

    await movePreviousTokens(t.db, [{ token: 'slow', userId, expiresAt }])
    await assert.rejects(tokens.use('slow', undefined, {}), { code: 503 })
    assert.equal(outcome(await client.refresh('slow')), '201')
  })

  it('are revoked once their session has ended, at every use', async () => {
    const client = restClient(t.address)
    const { _id: userId } = await client.signUp()

    await movePreviousTokens(t.db, [{ token: 'of one who left', userId, expiresAt }])
    const { body } = await client.refresh('of one who left')

    await client.ask('DELETE', '/authentication', { token: body.accessToken })
    assert.equal(outcome(await client.refresh('of one who left')), '401 revoked')
    assert.equal(outcome(await client.refresh('of one who left')), '401 revoked')
  })

  it('are 503 while the database can not be reached', async () => {
    const nowhere = new MongoClient('mongodb://127.0.0.1:1/x', { serverSelectionTimeoutMS: 50 })
    const tokens = new PreviousTokens({
      collection: async () => nowhere.db().collection('users'),
      sessions: t.app.service('authentication').sessions,
      leeway: 0,
      now: Date.now
    })

    await assert.rejects(tokens.use('any', undefined, {}), { code: 503 })
    await nowhere.close()
  })

  it('are not 503 for any other failure', async () => {
    const tokens = new PreviousTokens({
      collection: () => Promise.reject(new Error('of a mistake')),
      sessions: t.app.service('authentication').sessions,
      leeway: 0,
      now: Date.now
    })

    await assert.rejects(tokens.use('any', undefined, {}), /of a mistake/)
  })
})

describe('refresh tokens of another package, with `rotation: false`', () => {
  const settings = {
    authentication: { 'refresh-token': { previousTokens: true, rotation: false } }
  }

  it('may be repeated if their device already has a session', () =>
    withApp({ settings }, async (t) => {
      const client = restClient(t.address)
      const { _id: userId, email } = await client.signUp()
      const { session } = (await client.signIn(email, { device: { id: 'phone' } })).body

      await movePreviousTokens(t.db, [{ token: 'of a phone', userId, expiresAt, deviceId: 'phone' }])
      t.clock.advance(1000)

      for (let time = 0; time < 2; time++) {
        const { status, body } = await client.refresh('of a phone')

        assert.deepEqual([status, body.session?.id], [201, session.id])
      }
    }))
})
