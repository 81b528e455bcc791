import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { RefreshTokenStrategy, movePreviousTokens } from '../../src/refresh-token/index.js'
import { merge, startApp, withApp, type Settings, type TestApp } from '../support/app.js'
import { runCode, snippet } from '../support/documents.js'
import { copyGenerated, makePackage, type GeneratedApp, type Package } from '../support/generated-app.js'
import { atOnce, outcome, restClient, tally, type RestClient } from '../support/rest.js'
import { decoded, handmade } from '../support/tokens.js'

const run = promisify(execFile)
const year = 365 * 24 * 60 * 60 // s
const settings = JSON.parse(snippet('docs/migrating.md', 'previousTokens')) as Settings
const scripts = {
  jackywxd: snippet('docs/migrating.md', 'refresh-tokens'),
  authenticationRefresh: snippet('docs/migrating.md', 'refresh_tokens'),
  ownHooks: snippet('docs/migrating.md', 'users.updateMany')
}

describe('refresh tokens of another package', () => {
  let made: Package
  let app: GeneratedApp
  let t: TestApp
  let client: RestClient

  before(async () => {
    made = await makePackage()
    app = await copyGenerated('generated-js', made)
    t = await startApp({ settings })
    client = restClient(t.address)
  })
  after(async () => {
    await t.stop()
    await app.remove()
    await made.remove()
  })

  /** As the old packages signed them. */
  const oldToken = (sub: string) => {
    const iat = Math.floor(t.clock.now / 1000)

    return handmade(
      { alg: 'HS256', typ: 'refresh' },
      { sub, iat, exp: iat + year, jti: randomUUID() },
      { secret: 'of before' }
    )
  }
  /** Runs a script of docs/migrating.md. */
  const move = async (from: keyof typeof scripts): Promise<string> => {
    await app.write('move.mjs', scripts[from])
    const { stdout } = await run(process.execPath, ['move.mjs'], {
      cwd: app.folder,
      env: { ...process.env, MONGODB_URL: t.url }
    })

    return stdout.trim()
  }
  /** A user with a token of before, moved. */
  const movedToken = async () => {
    const { _id: userId } = await client.signUp()
    const refreshToken = oldToken(userId)

    await t.db
      .collection('refresh-tokens')
      .insertOne({ refreshToken, userId, isValid: true, deviceId: 'phone' })
    await move('jackywxd')
    return { userId, refreshToken }
  }

  it('of @jackywxd/feathers-refresh-token are exchanged for sessions, unless they were revoked', async () => {
    const users = await Promise.all([client.signUp(), client.signUp()])
    const [good, revoked] = users.map(({ _id }) => oldToken(_id))

    await t.db.collection('refresh-tokens').insertMany([
      { refreshToken: good, userId: users[0]._id, isValid: true, deviceId: 'phone' },
      { refreshToken: revoked, userId: users[1]._id, isValid: false }
    ])
    assert.equal(await move('jackywxd'), 'moved 1')
    assert.equal(await move('jackywxd'), 'moved 0')

    const { body } = await client.refresh(good!)

    assert.equal(body.user._id, users[0]._id)
    assert.equal(body.session.device.id, 'phone')
    assert.equal(decoded(body.refreshToken).header.typ, 'refresh')
    assert.equal(outcome(await client.refresh(body.refreshToken)), '201')
    assert.equal(outcome(await client.refresh(revoked!)), '401 invalid')
  })

  it('of feathers-authentication-refresh are recognised by their hashes', async () => {
    const { _id: userId } = await client.signUp()
    const [good, revoked] = [oldToken(userId), oldToken(userId)]
    const record = (token: string, revokedAt: Date | null) => ({
      token_hash: createHash('sha256').update(token).digest('hex'),
      user_id: userId,
      expires_at: new Date(t.clock.now + 60_000),
      revoked_at: revokedAt
    })

    await t.db.collection('refresh_tokens').insertMany([record(good, null), record(revoked, new Date())])
    assert.equal(await move('authenticationRefresh'), 'moved 1')
    assert.equal(outcome(await client.refresh(revoked)), '401 invalid')
    assert.equal((await client.refresh(good)).body.user._id, userId)
  })

  it('of user.refresh_token may be anything', async () => {
    const { _id: userId, email } = await client.signUp()
    const token = randomUUID()

    await t.db.collection('users').updateOne({ email }, { $set: { refresh_token: token } })
    assert.equal(await move('ownHooks'), 'moved 1')
    assert.equal((await client.refresh(token)).body.user._id, userId)
    assert.equal((await t.db.collection('users').findOne({ email }))?.refresh_token, undefined)
  })

  it('are exchanged for one session, also by many requests at once', async () => {
    const { refreshToken } = await movedToken()
    const answers = await atOnce(10, () => client.refresh(refreshToken))

    assert.deepEqual(tally(answers), { '201': 10 })
    assert.equal(new Set(answers.map(({ body }) => body.session.id)).size, 1)
  })

  it('are moved in any number, each once', async () => {
    const expiresAt = new Date(t.clock.now + year * 1000)
    const tokens = Array.from({ length: 1001 }, () => ({
      token: randomUUID(),
      userId: randomUUID(),
      expiresAt
    }))

    assert.equal(await movePreviousTokens(t.db, tokens), 1001)
    assert.equal(await movePreviousTokens(t.db, tokens), 0)
  })

  it('may be repeated for the leeway, or with their key, until the successor is used', async () => {
    const { refreshToken } = await movedToken()
    const keyed = { idempotencyKey: 'of this attempt' }
    const first = await client.refresh(refreshToken, keyed)

    t.clock.advance(29_000)
    assert.equal((await client.refresh(refreshToken)).body.session.id, first.body.session.id)
    t.clock.advance(60_000)
    const late = await client.refresh(refreshToken, keyed)

    assert.equal(outcome(late), '201')
    assert.equal(outcome(await client.refresh(late.body.refreshToken)), '201')
    assert.equal(outcome(await client.refresh(refreshToken, keyed)), '401 reused')
    assert.equal(outcome(await client.refresh(refreshToken, keyed)), '401 revoked')
  })

  it('are revoked when their session has been ended', async () => {
    const { refreshToken } = await movedToken()
    const { body } = await client.refresh(refreshToken)

    await client.ask('DELETE', '/authentication', { token: body.accessToken })
    assert.equal(outcome(await client.refresh(refreshToken)), '401 revoked')
  })

  it('end their session when they come late', async () => {
    const { refreshToken } = await movedToken()
    const { body } = await client.refresh(refreshToken)

    t.clock.advance(31_000)
    assert.equal(outcome(await client.refresh(refreshToken)), '401 reused')
    assert.equal(outcome(await client.refresh(body.refreshToken)), '401 revoked')
  })

  it('are refused while their user is disabled, and accepted again afterwards', async () => {
    const { userId, refreshToken } = await movedToken()
    const users = t.app.service('users')

    await users.patch(userId, { disabled: true })
    assert.equal(outcome(await client.refresh(refreshToken)), '401 disabled')
    await users.patch(userId, { disabled: false })
    assert.equal(outcome(await client.refresh(refreshToken)), '201')
    await users.remove(userId)
    assert.equal(outcome(await client.refresh(refreshToken)), '401 revoked')
  })

  it('are accepted under the name that clients already send, if the strategy is registered under it', async () => {
    const { refreshToken } = await movedToken()
    const names = { authentication: { authStrategies: ['jwt', 'local', 'refresh-token', 'refresh'] } }
    const line = snippet('docs/migrating.md', "register('refresh'")

    await withApp(
      {
        settings: merge(settings, names),
        database: t.db.databaseName,
        configure: (app) =>
          void runCode(line, { authentication: app.service('authentication'), RefreshTokenStrategy })
      },
      async ({ address }) => {
        const refresh = (token: string) =>
          restClient(address).authenticate({ strategy: 'refresh', refreshToken: token })
        const first = await refresh(refreshToken)

        assert.equal(outcome(first), '201')
        assert.equal(outcome(await refresh(first.body.refreshToken)), '201')
      }
    )
  })

  it('are refused when they have expired, and when they are not tokens at all', async () => {
    const { refreshToken } = await movedToken()

    assert.equal(outcome(await client.refresh('x'.repeat(9000))), '401 invalid')
    assert.equal(outcome(await client.refresh('')), '401 invalid')
    t.clock.advance(year * 1000)
    assert.equal(outcome(await client.refresh(refreshToken)), '401 invalid')
  })
})
