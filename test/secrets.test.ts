import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { checkedConfiguration, readConfiguration } from '../src/configuration.js'
import { ConfigurationError } from '../src/refresh-token/index.js'
import { merge, startApp, type TestApp } from './support/app.js'
import { restClient } from './support/rest.js'
import { goodSecrets } from './support/service.js'
import { decoded } from './support/tokens.js'

const good = {
  access: goodSecrets.ACCESS_TOKEN_SECRET,
  refresh: goodSecrets.REFRESH_TOKEN_SECRET,
  older: 'hY3kW8mB1nQ6vC4xZ9pL2sD7fG5jT0rE8uA3iO6yM1wN4bX9cV2qK7hU5tR0eJzP'
}

const secrets = (secret: unknown, refreshSecret: unknown) => ({
  authentication: { secret, 'refresh-token': { secret: refreshSecret } }
})

function sentenceFor(secret: unknown, refreshSecret: unknown): string | undefined {
  try {
    checkedConfiguration(merge(readConfiguration(), secrets(secret, refreshSecret)))
    return undefined
  } catch (error) {
    assert.ok(error instanceof ConfigurationError)
    return error.message
  }
}

const access = /^authentication\.secret .*: .+/
const refresh = /^authentication\.refresh-token\.secret .*: .+/

describe('secrets', () => {
  const both: [string, unknown, unknown, RegExp][] = [
    [
      'missing, of access tokens',
      undefined,
      good.refresh,
      /^authentication\.secret is missing: set ACCESS_TOKEN_SECRET/
    ],
    ['missing, of refresh tokens', good.access, undefined, /secret is missing: set REFRESH_TOKEN_SECRET/],
    ['empty', '', good.refresh, access],
    ['no string', 12345678, good.refresh, access],
    ['a list', good.access, [good.refresh], refresh],
    ['an empty one of several', `${good.access},,${good.older}`, good.refresh, access],
    ['an empty one at the end', good.access, `${good.refresh}, `, refresh],
    ['equal', good.access, good.access, /shares a secret with authentication\.secret/],
    ['equal but for blanks', good.access, ` ${good.access} `, /shares a secret with authentication\.secret/],
    [
      'sharing an older one',
      `${good.access},${good.older}`,
      `${good.refresh}, ${good.older}`,
      /shares a secret with authentication\.secret/
    ]
  ]

  for (const [what, secret, refreshSecret, sentence] of both) {
    it(`are refused: ${what}`, () => {
      assert.match(sentenceFor(secret, refreshSecret)!, sentence)
    })
  }

  it('may be short and simple in development', () => {
    assert.equal(sentenceFor('short', 'change me'), undefined)
  })

  describe('in production', () => {
    const environment = process.env.NODE_ENV

    beforeEach(() => {
      process.env.NODE_ENV = 'production'
    })
    afterEach(() => {
      process.env.NODE_ENV = environment
    })

    it('are taken when they are random, one or several', () => {
      assert.equal(sentenceFor(good.access, good.refresh), undefined)
      assert.equal(sentenceFor(`${good.access}, ${good.older}`, good.refresh), undefined)
    })

    const weak: [string, string][] = [
      ['of 31 bytes', good.older.slice(0, 31)],
      ['of 31 bytes, behind a good one', `${good.older},${good.older.slice(0, 31)}`],
      ['of config/test.json', 'not a secret: access tokens of the tests'],
      ['an example', 'this-is-an-example-secret-of-enough-bytes'],
      ['of a document', 'change-me-change-me-change-me-change-me!'],
      ['one letter', 'a'.repeat(64)],
      ['few letters', 'abcabc'.repeat(10)]
    ]

    for (const [what, secret] of weak) {
      it(`are refused, and not shown: ${what}`, () => {
        for (const sentence of [sentenceFor(secret, good.refresh), sentenceFor(good.access, secret)]) {
          assert.match(
            sentence!,
            /^authentication\.(refresh-token\.)?secret is .*: write at least 32 random bytes/
          )
          assert.equal(sentence!.includes(secret), false)
        }
      })
    }

    it('count in bytes, as the key does', () => {
      assert.equal(sentenceFor('äöüßéèêñçåøæþðłžšřďť', good.refresh), undefined)
    })
  })
})

describe('several secrets', () => {
  const apps: TestApp[] = []

  async function start(...list: [string, string]): Promise<TestApp> {
    const app = await startApp({
      settings: secrets(...list),
      ...(apps[0] && { database: apps[0].db.databaseName })
    })

    apps.push(app)
    return app
  }

  const client = (index: number) => restClient(apps[index]!.address)
  const kids = ({ accessToken, refreshToken }: { accessToken: string; refreshToken: string }) =>
    [accessToken, refreshToken].map((token) => decoded(token).header.kid)

  before(async () => {
    await start('older access', 'older refresh')
    await start(' newer access , older access', 'newer refresh,older refresh')
    await start('newer access', 'newer refresh')
  })
  after(async () => {
    // The first one's database goes last
    for (const app of apps.toReversed()) {
      await app.stop()
    }
  })

  const outcome = ({ status, body }: { status: number; body: { data?: { reason: string } } }) =>
    body.data?.reason ?? status

  it('still verify what the older one signed', async () => {
    const { accessToken, refreshToken } = await client(0).newLogin()

    assert.equal(outcome(await client(1).ask('GET', '/sessions', { token: accessToken })), 200)
    assert.equal(outcome(await client(1).refresh(refreshToken)), 201)
  })

  it('sign with the newest', async () => {
    const older = await client(0).newLogin()
    const { body: refreshed } = await client(1).refresh(older.refreshToken)
    const newest = await client(2).newLogin()

    assert.deepEqual(kids(refreshed), kids(newest))
    assert.notDeepEqual(kids(refreshed), kids(older))
    assert.equal(outcome(await client(2).refresh(refreshed.refreshToken)), 201)
    assert.equal(outcome(await client(2).ask('GET', '/sessions', { token: refreshed.accessToken })), 200)
  })

  it('are forgotten once they are removed', async () => {
    const older = await client(0).newLogin()
    const newer = await client(1).newLogin()

    assert.equal(outcome(await client(2).refresh(older.refreshToken)), 'invalid')
    assert.equal(outcome(await client(2).ask('GET', '/sessions', { token: older.accessToken })), 'invalid')
    assert.equal(outcome(await client(0).refresh(newer.refreshToken)), 'invalid')
    assert.equal(outcome(await client(1).refresh(newer.refreshToken)), 201)
  })

  it('end no session when they are unknown', async () => {
    const older = await client(0).newLogin()

    await client(2).refresh(older.refreshToken)
    assert.equal(outcome(await client(0).refresh(older.refreshToken)), 201)
  })
})
