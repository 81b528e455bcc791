import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { MongoClient } from 'mongodb'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { runScript } from '../support/process.js'
import { goodSecrets, makePlace, type Environment, type Place, type TestService } from '../support/service.js'

describe('the start without MONGODB_URL', () => {
  let place: Place

  before(async () => {
    place = await makePlace()
  })
  afterEach(() => place.killAll())
  after(() => place.remove())

  // Each step goes on from the ones before it
  let email: string
  let refreshToken: string

  const embedded = { MONGODB_URL: undefined }
  const start = (): Promise<TestService> => place.start(embedded)
  const giveRole = (role: string) =>
    runScript('cli.ts', { args: ['users', 'role', email, role], env: place.environment(embedded) })

  /** Refreshes, and what the role of the user is then. */
  async function goOn({ client }: TestService): Promise<string[]> {
    const { status, body } = await client.refresh(refreshToken)

    assert.equal(status, 201)
    refreshToken = body.refreshToken
    return body.user.roles
  }

  it('starts an embedded MongoDB, and says so', async () => {
    const { client, kill, outcome } = await start()
    const login = await client.newLogin()

    email = login.user.email
    refreshToken = login.refreshToken
    assert.equal((await client.ask('GET', '/health')).status, 200)

    kill('SIGTERM')

    const { code, stdout, stderr } = await outcome

    assert.equal(code, 0)
    assert.match(stdout, /MongoDB \d+\.\d+\.\d+/)
    assert.equal(stdout.split('\n').filter((line) => line.includes('http://')).length, 1)
    assert.equal(stderr, '')
  })

  it('finds the users and sessions of the last run', async () => {
    const service = await start()

    assert.equal((await service.client.signIn(email)).status, 201)
    await goOn(service)

    service.kill('SIGINT')
    assert.equal((await service.outcome).code, 0)
  })

  it('is not delayed by a killed run, and finds all acknowledged data', async () => {
    const killed = await start()

    await goOn(killed)
    killed.kill('SIGKILL')

    // At once: the MongoDB of the one that was killed may still be there
    const service = await start()

    await goOn(service)
    assert.equal((await service.client.signIn(email)).status, 201)
  })

  it('shares the database with the command line, whether or not it is running', async () => {
    const first = await start()

    assert.equal((await giveRole('moderator')).code, 0)
    assert.deepEqual(await goOn(first), ['moderator'])

    first.kill('SIGTERM')
    await first.outcome

    const { code, stdout } = await giveRole('admin')

    assert.equal(code, 0)
    assert.equal(stdout, `${email} has the role admin now`)
    assert.deepEqual(await goOn(await start()), ['admin'])
  })
})

describe('the start without MONGODB_URL in production', () => {
  let place: Place
  const production = { MONGODB_URL: undefined, NODE_ENV: 'production', ...goodSecrets }
  const run = (args: string[], env: Environment = {}) =>
    runScript('cli.ts', { args, env: place.environment({ ...production, ...env }) })

  before(async () => {
    place = await makePlace()
  })
  afterEach(() => place.killAll())
  after(() => place.remove())

  it('is refused unless the settings name a folder', async () => {
    const env = place.environment({ ...production, NODE_CONFIG: '{}' })
    const sentence = /^mongodb is missing: set MONGODB_URL to a replica set, or name a folder/

    for (const { code, stderr } of [
      await runScript('index.ts', { env }),
      await runScript('cli.ts', { args: ['users', 'list'], env })
    ]) {
      assert.notEqual(code, 0)
      assert.match(stderr, sentence)
    }
  })

  it('is warned of, and its MongoDB takes nobody without the password beside the data', async () => {
    const { client, said } = await place.start(production)
    const login = await client.newLogin()
    const { url } = JSON.parse(await readFile(join(place.data, 'mongod.json'), 'utf8'))
    const password = await readFile(join(place.data, 'mongod.key'), 'utf8')

    await said(/MongoDB of its own, on this machine only/)
    assert.equal((await client.refresh(login.refreshToken)).status, 201)
    assert.equal(new URL(url).password, password)
    assert.equal((await stat(join(place.data, 'mongod.key'))).mode & 0o777, 0o600)
    assert.equal((await stat(place.data)).mode & 0o777, 0o700)

    const direct = { directConnection: true }
    const stranger = new MongoClient(`mongodb://127.0.0.1:${new URL(url).port}/`, direct)
    const owner = new MongoClient(url, direct)
    const makeAdmin = (mongo: MongoClient) =>
      mongo
        .db('moult')
        .collection('users')
        .updateOne({ email: login.user.email }, { $set: { roles: ['admin'] } })

    await assert.rejects(makeAdmin(stranger), { codeName: 'Unauthorized' })
    await assert.rejects(stranger.db('moult').collection('users').findOne(), { codeName: 'Unauthorized' })
    await assert.rejects(stranger.db('admin').command({ createUser: 'x', pwd: 'x', roles: ['root'] }))
    assert.equal((await makeAdmin(owner)).matchedCount, 1)
    await Promise.all([stranger.close(), owner.close()])
  })

  it('ends the start of another service with a sentence, where its user may not use it', async () => {
    await place.start(production)

    const { url } = JSON.parse(await readFile(join(place.data, 'mongod.json'), 'utf8'))
    const { port } = new URL(url)
    const elsewhere = new URL(url)
    const nobody = new URL(url)

    elsewhere.pathname = '/elsewhere'
    nobody.username = nobody.password = ''

    for (const [other, name] of [
      [elsewhere, 'elsewhere'],
      [nobody, 'moult']
    ] as const) {
      const { code, stderr } = await runScript('index.ts', {
        env: place.environment({ ...production, MONGODB_URL: other.href })
      })

      assert.equal(code, 1)
      assert.equal(
        stderr,
        `mongodb names a user who may not use the database "${name}" at 127.0.0.1:${port}, or no user: ` +
          `write one who has the role readWrite on ${name}`
      )
    }
  })

  it('keeps the password, is shared with the command line, and finds what was kept without one', async () => {
    const development = await place.start({ MONGODB_URL: undefined })
    const { email } = await development.client.signUp()

    development.kill('SIGTERM')
    await development.outcome

    assert.equal((await run(['users', 'role', email, 'admin'])).code, 0)

    const before = await readFile(join(place.data, 'mongod.key'), 'utf8')
    const { client } = await place.start(production)

    assert.equal((await client.signIn(email)).body.user.roles[0], 'admin')
    assert.equal((await run(['users', 'role', email, 'user'])).code, 0)
    assert.equal((await client.signIn(email)).body.user.roles[0], 'user')
    assert.equal(await readFile(join(place.data, 'mongod.key'), 'utf8'), before)
  })
})
