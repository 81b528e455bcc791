import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startApp, type TestApp } from './support/app.js'
import { newPerson, stored, type Person } from './support/people.js'
import { runScript } from './support/process.js'

describe('moult users role EMAIL ROLE', () => {
  let t: TestApp
  let ada: Person

  before(async () => {
    t = await startApp()
  })
  beforeEach(async () => {
    ada = await newPerson(t)
  })
  after(() => t.stop())

  /** Runs the command line on the database of the service. */
  const moult = (...args: string[]) =>
    runScript('cli.ts', { args, env: { MONGODB_URL: t.app.get('mongodb'), NODE_ENV: 'test' } })
  const board = async (name: string) => (await ada.ask('GET', `/content/${name}`)).status
  const roles = async () => (await stored(t, ada.email)).roles

  it('makes the first admin, at once, on a service that runs', async () => {
    assert.equal(await board('admin'), 403)

    const { code, stdout, stderr } = await moult('users', 'role', ada.email, 'admin')

    assert.equal(await board('admin'), 200)
    assert.equal(code, 0)
    assert.equal(stdout, `${ada.email} has the role admin now`)
    assert.equal(stderr, '')
    assert.deepEqual(await roles(), ['admin'])
  })

  it('takes an email in any case, and takes the role away again', async () => {
    assert.equal((await moult('users', 'role', ada.email.toUpperCase(), 'moderator')).code, 0)
    assert.equal(await board('moderator'), 200)
    assert.equal((await moult('users', 'role', ada.email, 'user')).code, 0)
    assert.equal(await board('moderator'), 403)
  })

  it('ends no session, and may be said again', async () => {
    await moult('users', 'role', ada.email, 'moderator')

    assert.equal((await moult('users', 'role', ada.email, 'moderator')).code, 0)
    assert.equal((await ada.ask('GET', '/sessions')).body.length, 1)
    assert.deepEqual(await roles(), ['moderator'])
  })

  const mistakes: [string, () => string[], RegExp][] = [
    [
      'an unknown email',
      () => ['users', 'role', 'nobody@example.com', 'admin'],
      /^There is no user .*nobody@example\.com.*$/
    ],
    ['an unknown role', () => ['users', 'role', ada.email, 'root'], /^.*'root'.*user, moderator, admin\.$/],
    ['no email', () => ['users', 'role'], /^.*'email'$/],
    ['an unknown command', () => ['user'], /^.*'user'/],
    ['no command', () => [], /^Usage: moult/]
  ]

  for (const [what, args, sentence] of mistakes) {
    it(`fails with a sentence, and does nothing: ${what}`, async () => {
      const { code, stdout, stderr } = await moult(...args())

      assert.equal(code, 1)
      assert.equal(stdout, '')
      assert.match(stderr, sentence)
      assert.deepEqual(await roles(), ['user'])
    })
  }

  it('tells what there is', async () => {
    const { code, stdout } = await moult('--help')

    assert.equal(code, 0)
    assert.match(stdout, /users/)
  })

  it('fails with a sentence when the database is away', async () => {
    const { code, stderr } = await runScript('cli.ts', {
      args: ['users', 'role', ada.email, 'admin'],
      env: { MONGODB_URL: 'mongodb://ada:hunter2@127.0.0.1:1/moult', NODE_ENV: 'test' }
    })

    assert.equal(code, 1)
    assert.match(stderr, /^The database can not be reached.*$/)
    assert.doesNotMatch(stderr, /hunter2/)
  })

  it('fails with a sentence when a setting is wrong', async () => {
    const { code, stderr } = await runScript('cli.ts', {
      args: ['users', 'role', ada.email, 'admin'],
      env: { NODE_ENV: 'test', NODE_CONFIG: '{"colour": "red"}' }
    })

    assert.equal(code, 1)
    assert.match(stderr, /^colour is not a known setting: .*$/)
  })
})
