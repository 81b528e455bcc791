import assert from 'node:assert/strict'
import { chmod, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as after } from 'node:timers/promises'
import { tokenLife } from '../../src/keys/report.js'
import { rotateKeys } from '../../src/keys/rotation.js'
import type { KeyFileContent } from '../../src/refresh-token/keys/key-file.js'
import { withApp, type TestApp } from '../support/app.js'
import { fromFile, newSecret, withKeyFile } from '../support/keys.js'
import { newPerson } from '../support/people.js'
import { outcome, restClient } from '../support/rest.js'
import { decoded } from '../support/tokens.js'

const minute = 60_000
const day = 24 * 60 * minute
const look = () => after(1100) // the file is looked at each second
const content = async (file: string) => JSON.parse(await readFile(file, 'utf8')) as KeyFileContent
const kidOf = (token: string) => decoded(token).header.kid
const kidsOf = (t: TestApp, kind: 'accessTokens' | 'refreshTokens' = 'accessTokens') => [
  ...t.app.service('authentication').settings[kind].keyring.byId.keys()
]

/** As `moult keys rotate` does, at the app's time. */
function rotate(t: TestApp, file: string, more: object = {}) {
  const { settings } = t.app.service('authentication')
  const life = { access: tokenLife('access', settings), refresh: tokenLife('refresh', settings) }

  return rotateKeys(file, { algorithm: 'HS256', life, now: t.clock.now, ...more })
}

const withFileApp = (work: (t: TestApp, file: string) => Promise<void>) =>
  withKeyFile((file) => withApp({ settings: fromFile(file) }, (t) => work(t, file)))

describe('keys from a file', () => {
  it('a new key verifies for ten minutes, then signs, without a restart', () =>
    withFileApp(async (t, file) => {
      const client = restClient(t.address)
      const { email, accessToken, refreshToken } = await newPerson(t)
      const signIn = async () => (await client.signIn(email)).body
      const { added } = rotate(t, file)

      await look()
      assert.equal(kidOf((await signIn()).accessToken), kidOf(accessToken))
      t.clock.advance(10 * minute)

      const later = await signIn()

      assert.deepEqual(
        added.map(({ kid }) => kid),
        [kidOf(later.accessToken), kidOf(later.refreshToken)]
      )
      assert.equal((await client.ask('GET', '/sessions', { token: accessToken })).status, 200)
      assert.equal((await client.refresh(refreshToken)).status, 201)
    }))

  it('an old key stays while tokens that it signed are valid, and is dropped by the next rotation', () =>
    withFileApp(async (t, file) => {
      const [access] = kidsOf(t)
      const [refresh] = kidsOf(t, 'refreshTokens')

      rotate(t, file)
      t.clock.advance(10 * minute + 15 * minute + minute - 1000)
      assert.deepEqual(rotate(t, file).dropped, [])
      t.clock.advance(1000)
      assert.deepEqual(rotate(t, file).dropped, [{ kind: 'access', kid: access }])
      assert.ok(!kidsOf(t).includes(access!))

      t.clock.advance(30 * day)

      const { dropped } = rotate(t, file)

      assert.ok(dropped.some(({ kid }) => kid === refresh))
      assert.deepEqual(
        Object.keys((await content(file)).signsFrom!).sort(),
        [...kidsOf(t), ...kidsOf(t, 'refreshTokens')].sort()
      )
    }))

  it('a token of a key that was not read yet makes the service read it', () =>
    withFileApp((t, file) =>
      withApp({ settings: fromFile(file), database: t.db.databaseName }, async (other) => {
        const client = restClient(t.address)
        const { email } = await newPerson(t)

        rotate(t, file, { leadTime: 0 })

        // The one has looked just now, and is not due for another second; the other is the first to be asked
        await restClient(other.address).ask('GET', '/content')
        await look()
        await client.signIn(email)
        rotate(t, file, { leadTime: 0 })

        const { added } = rotate(t, file, { leadTime: 0 })

        kidsOf(other) // looks, and so signs with the newest

        const { body } = await restClient(other.address).signIn(email)

        assert.equal(kidOf(body.accessToken), added[0]!.kid)
        assert.equal((await client.ask('GET', '/sessions', { token: body.accessToken })).status, 200)
        assert.equal((await client.refresh(body.refreshToken)).status, 201)
      })
    ))

  it('a damaged file changes nothing while the service runs; a repaired one does', () =>
    withFileApp(async (t, file) => {
      const good = await readFile(file, 'utf8')
      const { ask, accessToken } = await newPerson(t)

      for (const bad of ['{', '{}', JSON.stringify({ accessToken: 'same', refreshToken: 'same' })]) {
        await writeFile(file, bad)
        await look()
        assert.equal((await ask('GET', '/sessions')).status, 200)
      }

      await rename(file, `${file}.away`)
      await look()
      assert.equal((await ask('GET', '/sessions')).status, 200)

      await writeFile(file, JSON.stringify({ accessToken: newSecret(), refreshToken: newSecret() }))
      assert.equal(outcome(await ask('GET', '/sessions', { token: accessToken })), '200')
      await look()
      assert.equal(outcome(await ask('GET', '/sessions')), '401 invalid')

      await writeFile(file, good)
      assert.equal((await ask('GET', '/sessions')).status, 200)
    }))

  it('a hundred forged tokens with unknown keys are refused, and the file stays as it is', () =>
    withFileApp(async (t, file) => {
      const { accessToken } = await newPerson(t)
      const [, claims, signature] = accessToken.split('.')
      const before = await readFile(file, 'utf8')
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, index) => {
          const header = JSON.stringify({ alg: 'HS256', typ: 'at+jwt', kid: `key-${index}` })
          const token = [Buffer.from(header).toString('base64url'), claims, signature].join('.')

          return restClient(t.address).ask('GET', '/sessions', { token })
        })
      )

      assert.deepEqual([...new Set(answers.map(outcome))], ['401 invalid'])
      assert.equal(await readFile(file, 'utf8'), before)
    }))

  it('rotating keeps who may read the file, and a symbolic link', () =>
    withFileApp(async (t, file) => {
      const link = join(dirname(file), 'link.json')

      await chmod(file, 0o640)
      await symlink(file, link)
      rotate(t, link)

      assert.equal((await stat(file)).mode & 0o777, 0o640)
      assert.equal((await content(file)).accessToken.split(',').length, 2)
      assert.deepEqual(await content(link), await content(file))
    }))

  it('a rotation is refused while another is in progress', () =>
    withFileApp(async (t, file) => {
      await writeFile(`${file}.new`, '')
      assert.throws(() => rotate(t, file), /another rotation is in progress/)
    }))

  it('only the keys of one kind are rotated when it is named', () =>
    withFileApp(async (t, file) => {
      const before = await content(file)

      rotate(t, file, { kinds: ['access'] })
      assert.equal((await content(file)).refreshToken, before.refreshToken)
      assert.equal(kidsOf(t).length, 2)
    }))

  it('shows no key in the configuration', () =>
    withFileApp(async (t, file) => {
      const { accessToken, refreshToken } = await content(file)
      const told = JSON.stringify([
        t.app.get('authentication'),
        t.app.service('authentication').configuration,
        t.app.service('authentication').settings
      ])

      assert.ok(!told.includes(accessToken) && !told.includes(refreshToken))
    }))
})
