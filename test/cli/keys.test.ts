import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { MongoClient } from 'mongodb'
import { keyReports } from '../../src/keys/record.js'
import { lead, makeKeyFile, rotateKeys } from '../../src/keys/rotation.js'
import { merge, startApp, withApp, type TestApp } from '../support/app.js'
import { factorClient, newGuarded } from '../support/factors.js'
import { fromFile, newSecret, withKeyFile } from '../support/keys.js'
import { newPerson, stored } from '../support/people.js'
import { restClient } from '../support/rest.js'
import { programArgs } from '../support/program.js'
import { decoded } from '../support/tokens.js'
import { poll } from '../support/socket.js'

const run = promisify(execFile)

interface Shown {
  source: string
  file: string | null
  keys: { kind: string; kid: string; state: string; signsFrom: string | null; neededTill: string | null }[]
}

/** `moult …` in a process of its own, without the secrets of the tests. */
const moult = async (args: string[], env: Record<string, string>): Promise<string> => {
  const { stdout } = await run(process.execPath, [...programArgs('src/cli.ts'), ...args], {
    env: { ...process.env, NODE_ENV: 'development', ...env }
  })

  return stdout
}

async function dropDatabase(url: string): Promise<void> {
  const client = await MongoClient.connect(url)

  await client.db().dropDatabase()
  await client.close()
}

const states = ({ keys }: Shown) => keys.map(({ kind, state }) => `${kind} ${state}`)
const show = async (env: Record<string, string>) =>
  JSON.parse(await moult(['keys', 'show', '--json'], env)) as Shown

describe('moult keys, from a file', () => {
  it('rotate creates the file, then adds keys; show lists what each is for; neither prints a key', () =>
    withKeyFile(async (other) => {
      const file = `${dirname(other)}/made/keys.json`
      const env = { KEYS_FILE: file, MONGODB_URL: '' }
      const out = [await moult(['keys', 'rotate'], env)]

      out.push(await moult(['keys', 'rotate'], env), await moult(['keys', 'show'], env))

      const shown = await show(env)

      assert.equal(shown.file, file)
      assert.deepEqual(states(shown), [
        'access next',
        'access signs',
        'refresh next',
        'refresh signs',
        'factor signs'
      ])

      const [next, signs] = shown.keys

      assert.equal(Date.parse(signs!.neededTill!) - Date.parse(next!.signsFrom!), 16 * 60_000)
      assert.match(out[2]!, /access +\S+ +verifies, and will sign +20/)

      const { accessToken, refreshToken, factor } = JSON.parse(await readFile(file, 'utf8'))

      for (const key of `${accessToken},${refreshToken},${factor}`.split(',')) {
        assert.ok(!out.join().includes(key))
      }
    }))

  it('rotates the key of factors, and what the old one encrypted is still read', () =>
    withKeyFile(
      async (file) => {
        const authStrategies = ['jwt', 'local', 'refresh-token', 'totp', 'recovery-code']
        const settings = merge(fromFile(file), { authentication: { authStrategies } })

        await withApp({ settings }, async (t) => {
          const { person, app } = await newGuarded(t)
          const kid = async () => (await stored(t, person.email)).factors[0].secret.kid
          const before = await kid()

          await moult(['keys', 'rotate', 'factor'], { KEYS_FILE: file, MONGODB_URL: '' })

          await withApp({ settings, database: t.db.databaseName }, async (restarted) => {
            const on = factorClient(restarted.address)

            t.clock.advance(lead + 60_000)
            restarted.clock.now = t.clock.now
            assert.equal((await on.totp(await on.challenge(person.email), app.code())).status, 201)
            assert.notEqual(await kid(), before)
          })
        })
      },
      { accessToken: newSecret(), refreshToken: newSecret(), factor: newSecret() }
    ))

  it('rotates the development secrets, which a running service reads', () =>
    withKeyFile(async (file) => {
      const env = { NODE_CONFIG: JSON.stringify({ data: dirname(file) }), MONGODB_URL: '' }

      await moult(['keys', 'rotate'], env)
      await moult(['keys', 'rotate', 'access'], env)

      const shown = await show(env)

      assert.equal(shown.file, `${dirname(file)}/secrets.json`)
      assert.deepEqual(states(shown), ['access next', 'access signs', 'refresh signs', 'factor signs'])

      const t = await startApp({ settings: fromFile(shown.file) })

      try {
        const { accessToken } = await newPerson(t)

        assert.equal(decoded(accessToken).header.kid, shown.keys[1]!.kid)
      } finally {
        await t.stop()
      }
    }))

  for (const algorithm of ['ES256', 'RS256', 'PS256'] as const) {
    it(`makes keys for ${algorithm}`, () =>
      withKeyFile(async (other) => {
        const file = `${other}.made`

        assert.ok(makeKeyFile(file, algorithm))

        const { added } = rotateKeys(file, { algorithm, life: { access: 1, refresh: 1 }, now: Date.now() })

        assert.deepEqual(
          added.map(({ kid }) => kid.length),
          [43, 16]
        )
        assert.match(await readFile(file, 'utf8'), /BEGIN PRIVATE KEY/)
      }))
  }

  it('fails with a sentence and code 1 if there is no file to write', async () => {
    const failure = moult(['keys', 'rotate'], {
      ACCESS_TOKEN_SECRET: newSecret(),
      REFRESH_TOKEN_SECRET: newSecret()
    })

    await assert.rejects(failure, (error: { code: number; stderr: string }) => {
      assert.equal(error.code, 1)
      assert.match(error.stderr, /^The keys do not come from a file: .*\n$/)
      return true
    })
  })
})

describe('moult keys show, from the environment', () => {
  const [old, now, refresh] = [newSecret(), newSecret(), newSecret()]
  const settings = (secret: string) => ({ authentication: { secret, 'refresh-token': { secret: refresh } } })
  const noted = (t: TestApp, count: number) =>
    poll(async () => (await t.db.collection('signingKeys').countDocuments()) === count, 'the note')
  const shown = (t: TestApp, secret: string) =>
    show({ MONGODB_URL: t.app.get('mongodb')!, ACCESS_TOKEN_SECRET: secret, REFRESH_TOKEN_SECRET: refresh })

  it('knows from the records of services when a key last signed, and which key was removed too early', () =>
    withApp({ settings: settings(old) }, async (t) => {
      await noted(t, 2)
      await withApp({ settings: settings(`${now},${old}`), database: t.db.databaseName }, async () =>
        noted(t, 3)
      )

      const both = await shown(t, `${now},${old}`)
      const [signs, verifies] = both.keys

      assert.equal(both.source, 'environment')
      assert.deepEqual(states(both), ['access signs', 'access verifies', 'refresh signs'])
      assert.equal(signs!.neededTill, null)

      // 15 minutes of life, one of skew, one of what is not noted yet
      const { lastSigned } = (await t.db.collection('signingKeys').findOne({ _id: verifies!.kid as never }))!
      assert.equal(Date.parse(verifies!.neededTill!), lastSigned.getTime() + 17 * 60_000)

      const access = async (secret: string) =>
        withApp({ settings: settings(secret), database: t.db.databaseName }, async ({ app }) => {
          const reports = await keyReports(app)

          return reports.access.map(({ kid, state }) => ({ kid, state }))
        })
      const signing = { kid: signs!.kid, state: 'signs' }

      assert.deepEqual(await access(now), [signing, { kid: verifies!.kid, state: 'missing' }])

      await t.db
        .collection('signingKeys')
        .updateOne(
          { _id: verifies!.kid as never },
          { $set: { lastSigned: new Date(Date.now() - 20 * 60_000) } }
        )
      assert.deepEqual(await access(`${now},${old}`), [signing, { kid: verifies!.kid, state: 'spent' }])
      assert.deepEqual(await access(now), [signing])
    }))

  it('records ids and times only', () =>
    withApp({ settings: settings(old) }, async (t) => {
      await noted(t, 2)

      for (const note of await t.db.collection('signingKeys').find().toArray()) {
        assert.deepEqual(Object.keys(note).sort(), ['_id', 'firstSigned', 'kind', 'lastSigned'])
        assert.match(String(note._id), /^[\w-]{16}$/)
      }
    }))

  it('a service whose key was removed too early logs a warning', () =>
    withApp({ settings: settings(old) }, async (t) => {
      const warnings: string[] = []

      await noted(t, 2)
      await withApp(
        {
          settings: settings(now),
          database: t.db.databaseName,
          configure: (app) =>
            app.set(
              'logger',
              Object.assign(Object.create(app.get('logger')), {
                warn: (sentence: string) => warnings.push(sentence)
              })
            )
        },
        () => poll(() => warnings[0], 'the warning')
      )

      assert.match(
        warnings[0]!,
        /^The key \S{16}, which signed access tokens that are valid until \S+Z, is gone/
      )
    }))
})

describe('a service with a key file', () => {
  it('starts without secrets, takes a rotation from the command line, and stops', () =>
    withKeyFile(async (file) => {
      const db = process.env.MONGODB_URL!.replace('/x?', `/moult-keys-${process.pid}?`)
      const env = {
        KEYS_FILE: `${file}.made`,
        MONGODB_URL: db,
        PORT: '0',
        NODE_CONFIG: JSON.stringify({ authentication: { jwtOptions: { algorithm: 'ES256' } } })
      }

      await moult(['keys', 'rotate'], env)

      const service = spawn(process.execPath, programArgs('src/index.ts'), {
        env: { ...process.env, NODE_ENV: 'development', ...env }
      })
      let output = ''

      service.stdout.on('data', (data) => (output += data))
      service.stderr.on('data', (data) => (output += data))

      try {
        const address = await poll(() => /listens on (\S+)/.exec(output)?.[1], 'the start', 30_000)
        const keySet = async () => (await restClient(address).ask('GET', '/.well-known/jwks.json')).body.keys

        assert.equal((await keySet()).length, 1)
        await moult(['keys', 'rotate', 'access'], env)
        await poll(async () => (await keySet()).length === 2, 'the new key')
      } finally {
        service.kill('SIGTERM')
        await once(service, 'exit')
        await dropDatabase(db)
      }

      assert.doesNotMatch(output, /WARN|ERROR/)
    }))
})
