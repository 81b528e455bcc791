import { MongoClient } from 'mongodb'
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { runScript } from '../support/process.js'
import { goodSecrets, makePlace, type Environment, type Place } from '../support/service.js'

describe('the start', () => {
  let place: Place

  before(async () => {
    place = await makePlace()
  })
  afterEach(() => place.killAll())
  after(() => place.remove())

  it('says in one line where it listens, once it is ready', async () => {
    const { address, client, kill, outcome } = await place.start()

    assert.equal((await client.ask('GET', '/health')).status, 200)
    assert.match(address, /^http:\/\/127\.0\.0\.1:\d+$/)

    kill('SIGTERM')

    const { stdout, stderr } = await outcome

    assert.equal(stdout.split('\n').filter((line) => line.includes('http://')).length, 1)
    assert.equal(stderr, '')
  })

  it('keeps the development secrets, so that users stay signed in', async () => {
    const first = await place.start()
    const { accessToken, refreshToken } = await first.client.newLogin()

    first.kill('SIGTERM')
    await first.outcome

    const { client } = await place.start()

    assert.equal((await client.ask('GET', '/sessions', { token: accessToken })).status, 200)
    assert.equal((await client.refresh(refreshToken)).status, 201)
  })

  it('takes its settings from the environment, and logs JSON without a credential in production', async () => {
    const { client, kill, outcome } = await place.start({ NODE_ENV: 'production', ...goodSecrets })
    const { accessToken, refreshToken, user } = await client.newLogin()

    await client.signIn(user.email, { password: 'wrong horse battery' })
    await client.refresh(refreshToken)
    await client.ask('POST', '/users', { body: '{bad' })
    kill('SIGTERM')

    const { code, stdout, stderr } = await outcome
    const credentials = [
      'correct horse',
      'wrong horse',
      accessToken,
      refreshToken,
      ...Object.values(goodSecrets)
    ]

    assert.equal(code, 0)
    assert.equal(stderr, '')
    assert.ok(stdout.split('\n').every((line) => JSON.parse(line).msg))
    assert.deepEqual(
      credentials.filter((credential) => stdout.includes(credential)),
      []
    )
  })

  it('ends with one sentence when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')

    await once(other, 'listening')

    const { port } = other.address() as AddressInfo
    const { code, stderr } = await runScript('index.ts', {
      env: place.environment({ PORT: String(port) })
    })

    other.close()
    assert.equal(code, 1)
    assert.match(stderr, new RegExp(`^port ${port} is taken .*: set PORT to .*$`))
  })

  // What test/configuration.test.ts says of each setting, for the whole process
  const wrong: [string, Environment, RegExp][] = [
    [
      'production without secrets',
      { NODE_ENV: 'production' },
      /^authentication\.secret is missing: set ACCESS_TOKEN_SECRET/
    ],
    [
      'production with a published secret',
      {
        NODE_ENV: 'production',
        ...goodSecrets,
        ACCESS_TOKEN_SECRET: 'change-me-change-me-change-me-change-me!'
      },
      /^authentication\.secret is a published/
    ],
    [
      'development with the placeholder of the documentation',
      {
        NODE_ENV: 'development',
        ...goodSecrets,
        REFRESH_TOKEN_SECRET: 'write 32 random bytes or more here'
      },
      /^authentication\.refresh-token\.secret is a published/
    ],
    ['a port that is none', { PORT: 'abc' }, /^port is "abc": write a port/],
    [
      'an unknown strategy',
      { NODE_CONFIG: '{"authentication": {"authStrategies": ["jwt", "local", "refresh-token", "magic"]}}' },
      /^authentication\.authStrategies names "magic".*: write one of/
    ],
    [
      'an object that is none',
      { NODE_CONFIG: '{"authentication": {"refresh-token": "x"}}' },
      /^authentication\.refresh-token .*write an object/
    ],
    ['another database', { MONGODB_URL: 'postgres://ada:hunter2@localhost/x' }, /^mongodb .*: write/],
    [
      'a database of an impossible name',
      { MONGODB_URL: 'mongodb://ada:hunter2@localhost/a.b?replicaSet=rs0' },
      /^mongodb names the database "a\.b", which MongoDB does not accept: write a name of up to 63 letters/
    ],
    [
      'a database of a name that is too long',
      { MONGODB_URL: `mongodb://ada:hunter2@localhost/${'long'.repeat(16)}` },
      /^mongodb names the database "(long){16}", which MongoDB does not accept: write a name of up to 63 letters/
    ],
    [
      'a database of MongoDB itself',
      { MONGODB_URL: 'mongodb://ada:hunter2@localhost/local' },
      /^mongodb names the database "local", which MongoDB keeps for itself: write another name/
    ],
    [
      'a certificate that is not there',
      { MONGODB_URL: 'mongodb://localhost/moult?tls=true&tlsCAFile=/nowhere.pem' },
      /^mongodb names the file "\/nowhere\.pem", which can not be read \(ENOENT\): write the path/
    ],
    [
      'Kerberos without its package',
      {
        MONGODB_URL: `${process.env.MONGODB_URL!.replace('://', '://ada%40A:hunter2@')}&authMechanism=GSSAPI`
      },
      /^mongodb needs the package kerberos for what it asks for: install it/
    ],
    ['a list in NODE_CONFIG', { NODE_CONFIG: '[1]' }, /^NODE_CONFIG is not a JSON object: write one/],
    ['null in NODE_CONFIG', { NODE_CONFIG: 'null' }, /^NODE_CONFIG is not a JSON object: write one/],
    ['text in NODE_CONFIG', { NODE_CONFIG: '"x"' }, /^NODE_CONFIG is not a JSON object: write one/]
  ]

  for (const [what, env, sentence] of wrong) {
    it(`ends with one sentence and exit code 1: ${what}`, async () => {
      const { code, stdout, stderr } = await runScript('index.ts', {
        env: place.environment(env),
        patience: 20_000 // in case that it starts
      })

      assert.equal(code, 1)
      assert.match(stderr, sentence)
      assert.equal(stderr.split('\n').length, 1)
      assert.doesNotMatch(stdout + stderr, /hunter2|change-me/)
    })
  }

  it('ends with one sentence for a file in config/ that is not JSON', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moult-config-'))

    try {
      await writeFile(join(folder, 'default.json'), '{"port": 3030,}x')
      const { code, stderr } = await runScript('index.ts', {
        env: place.environment({ NODE_CONFIG_DIR: folder })
      })

      assert.equal(code, 1)
      assert.match(
        stderr,
        /^\S+default\.json can not be read \(.*invalid character 'x'.*\): write JSON, as in config\/default\.json$/
      )
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  for (const [what, content, sentence] of [
    ['a list', '[]', /local\.json does not hold an object: write one, as in config\/default\.json$/],
    ['null', 'null', /local\.json does not hold an object: write one, as in config\/default\.json$/],
    ['a folder', undefined, /local\.json can not be read \(illegal operation on a directory.*\): write JSON/]
  ] as const) {
    it(`ends with one sentence for a local.json that is ${what}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'moult-config-'))
      const file = join(folder, 'local.json')

      try {
        await (content === undefined ? mkdir(file) : writeFile(file, content))
        const { code, stderr } = await runScript('index.ts', {
          env: place.environment({ NODE_CONFIG_DIR: folder }),
          patience: 20_000
        })

        assert.equal(code, 1)
        assert.match(stderr.split('\n').at(-1)!, sentence)
      } finally {
        await rm(folder, { recursive: true })
      }
    })
  }

  it('starts in no database that is there in another case', async () => {
    const client = await MongoClient.connect(process.env.MONGODB_URL!)
    const name = `case-${randomUUID()}`
    const url = new URL(process.env.MONGODB_URL!)

    url.pathname = name.toUpperCase()

    try {
      await client.db(name).createCollection('users')
      const { code, stderr } = await runScript('index.ts', {
        env: place.environment({ MONGODB_URL: url.href }),
        patience: 20_000
      })

      assert.equal(code, 1)
      assert.match(stderr, /^mongodb names the database "CASE-.*", but there is one called "case-.*": write/)
    } finally {
      await client.db(name).dropDatabase()
      await client.close()
    }
  })

  it('fails if NODE_CONFIG is not JSON, rather than ignore it', async () => {
    const { code, stderr } = await runScript('index.ts', { env: place.environment({ NODE_CONFIG: '{bad' }) })

    assert.equal(code, 1)
    // node-config has a line of its own before it
    assert.match(stderr.split('\n').at(-1)!, /^NODE_CONFIG is not a JSON object: write one/)
  })
})
