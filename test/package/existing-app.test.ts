import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { snippet } from '../support/documents.js'
import {
  applyDiff,
  compile,
  copyGenerated,
  makePackage,
  moultIn,
  ownDatabase,
  startGenerated
} from '../support/generated-app.js'
import type { GeneratedApp, Package, RunningApp } from '../support/generated-app.js'
import { merge } from '../support/app.js'
import { outcome, restClient, type RestClient } from '../support/rest.js'
import { startOAuthProvider } from '../support/oauth-provider.js'
import { refreshTransports } from '../support/refresh-clients.js'
import { connect, type TestSocket } from '../support/socket.js'
import { freePort } from '../support/process.js'
import { fragmentOf, visitor } from '../support/visitor.js'
import { decoded } from '../support/tokens.js'

const password = 'correct horse battery'

interface Kind {
  name: string
  fixture: string
  main: string
  /** Of the users service. */
  users: string
  entity: string
  /** Of the authentication service, moved there by `finish`. */
  path: string
  finish?(app: GeneratedApp): Promise<void>
}

const kinds: Kind[] = [
  {
    name: 'TypeScript, on Koa',
    fixture: 'generated-ts',
    main: 'lib/',
    users: 'users',
    entity: 'user',
    path: 'authentication'
  },
  {
    name: 'CommonJS, on Express, with members who sign in elsewhere',
    fixture: 'generated-js',
    main: 'src/',
    users: 'members',
    entity: 'member',
    path: 'api/v1/login',
    finish: (app) =>
      app.edit('src/authentication.js', (text) => text.replaceAll("('authentication'", "('api/v1/login'"))
  }
]

let made: Package

before(async () => {
  made = await makePackage()
})
after(() => made.remove())

/** The diff that docs/existing-app.md shows. */
async function switchOn(app: GeneratedApp, { fixture }: Kind): Promise<number> {
  const typescript = snippet('docs/existing-app.md', '--- src/authentication.ts')
  const commonjs = snippet('docs/existing-app.md', '--- src/authentication.js')

  if (fixture === 'generated-ts') {
    return applyDiff(app, typescript)
  }

  // What follows the import is the same
  const rest = typescript.replaceAll('.ts\n', '.js\n').replace(/^([-+]import .*\n)+ import .*\n@@\n/m, '')

  return (await applyDiff(app, commonjs)) + (await applyDiff(app, rest))
}

for (const kind of kinds) {
  describe(`a generated app in ${kind.name}`, () => {
    const database = ownDatabase()
    const opened: TestSocket[] = []
    let app: GeneratedApp
    let running: RunningApp
    let stockToken: string
    let added: number

    const ask = (...args: Parameters<RestClient['ask']>) => running.client.ask(...args)
    const authenticate = (body: object, address = running.address) =>
      restClient(address).ask('POST', `/${kind.path}`, { body })
    const signUp = (email: string) => ask('POST', `/${kind.users}`, { body: { email, password } })
    const signIn = (email: string, address?: string) =>
      authenticate({ strategy: 'local', email, password }, address)
    const refresh = (refreshToken: string) => authenticate({ strategy: 'refresh-token', refreshToken })
    const newLogin = async (email: string) => {
      await signUp(email)

      return (await signIn(email)).body
    }
    const open = async () => {
      const socket = await connect(running.address)

      opened.push(socket)
      return socket
    }
    const signedIn = async (accessToken: string) => {
      const socket = await open()

      await socket.call('create', kind.path, { strategy: 'jwt', accessToken })
      return socket
    }

    const build = async (app: GeneratedApp) => kind.main === 'lib/' && compile(app)

    before(async () => {
      app = await copyGenerated(kind.fixture, made)
      await build(app)

      // as the generator made it, with a user
      running = await startGenerated(app, kind.main, database.url)
      await signUp('stock@example.com')
      const stock = { strategy: 'local', email: 'stock@example.com', password }
      stockToken = (await running.client.authenticate(stock)).body.accessToken
      await running.stop()

      added = await switchOn(app, kind)
      await kind.finish?.(app)
      await build(app)
      running = await startGenerated(app, kind.main, database.url)
    })
    after(async () => {
      opened.forEach((socket) => socket.close())
      await running.stop()
      await database.close()
      await app.remove()
    })

    it('is switched on in ten lines', () => {
      assert.ok(added > 0 && added <= 10, `${added} lines`)
    })

    it('signs its users in with a refresh token, including earlier users', async () => {
      const { status, body } = await signIn('stock@example.com')

      assert.equal(status, 201)
      assert.equal(body[kind.entity].email, 'stock@example.com')
      assert.equal(body.session.strategy, 'local')
      assert.equal(decoded(body.accessToken).claims.sid, body.session.id)
      assert.equal(decoded(body.accessToken).claims.exp - decoded(body.accessToken).claims.iat, 15 * 60)
      assert.equal(decoded(body.refreshToken).header.typ, 'refresh')
    })

    it('refreshes, finds a stolen token, and signs out', async () => {
      const first = await newLogin('ada@example.com')
      const second = await refresh(first.refreshToken)
      const third = await refresh(second.body.refreshToken)

      assert.equal(outcome(third), '201')
      assert.equal(outcome(await refresh(first.refreshToken)), '401 reused')
      assert.equal(
        outcome(await ask('GET', `/${kind.users}`, { token: third.body.accessToken })),
        '401 revoked'
      )

      const { accessToken, refreshToken } = (await signIn('ada@example.com')).body

      assert.equal(outcome(await ask('DELETE', `/${kind.path}`, { token: accessToken })), '200')
      assert.equal(outcome(await refresh(refreshToken)), '401 revoked')
    })

    it('serves a socket until its session ends', async () => {
      const body = await newLogin('grace@example.com')
      const { accessToken } = body
      const socket = await signedIn(accessToken)

      assert.equal((await socket.call('get', kind.users, body[kind.entity]._id)).email, 'grace@example.com')
      await ask('DELETE', `/${kind.path}`, { token: accessToken })
      assert.equal(await socket.disconnected(), 'io server disconnect')
    })

    it('signs in and refreshes on a socket', async () => {
      await signUp('hedy@example.com')
      const socket = await open()
      const login = await socket.call('create', kind.path, {
        strategy: 'local',
        email: 'hedy@example.com',
        password
      })
      const refreshed = await socket.call('create', kind.path, {
        strategy: 'refresh-token',
        refreshToken: login.refreshToken
      })

      assert.equal(refreshed.session.id, login.session.id)
      assert.equal((await socket.call('get', kind.users, login[kind.entity]._id)).email, 'hedy@example.com')
    })

    for (const [transport, connectClient] of Object.entries(refreshTransports)) {
      it(`keeps a client of moult/client signed in: ${transport}`, async () => {
        await signUp(`${transport}@example.com`)
        const { client, authentication, close } = connectClient(running.address, {
          options: { path: kind.path }
        })
        const login = await client.authenticate({
          strategy: 'local',
          email: `${transport}@example.com`,
          password
        })
        const renewed = await authentication.renew()
        const own = await client.service(kind.users).get(login[kind.entity]._id)

        assert.notEqual(renewed.accessToken, login.accessToken)
        assert.equal(renewed.session.id, login.session.id)
        assert.equal(own.email, `${transport}@example.com`)
        await client.logout()
        close()
        assert.equal(
          outcome(await ask('GET', `/${kind.users}`, { token: renewed.accessToken })),
          '401 revoked'
        )
      })
    }

    it('shows nothing of the sessions: neither in answers nor in events', async () => {
      const login = await newLogin('mary@example.com')
      const { accessToken: token, [kind.entity]: user } = login
      const eve = await signedIn((await newLogin('eve@example.com')).accessToken)
      const own = await signedIn(token)
      const one = `/${kind.users}/${user._id}`
      const answers = [
        login,
        (await refresh(login.refreshToken)).body,
        (await authenticate({ strategy: 'jwt', accessToken: token })).body,
        (await ask('GET', `/${kind.users}`, { token })).body,
        (await ask('GET', one, { token })).body,
        (await ask('PATCH', one, { token, body: { email: 'mary@example.org' } })).body,
        (await ask('DELETE', `/${kind.path}`, { token: (await signIn('mary@example.org')).body.accessToken }))
          .body,
        await own.call('find', kind.users, {}),
        await own.call('get', kind.users, user._id),
        await own.call('patch', kind.users, user._id, { email: 'mary@example.net' }),
        await own.call('remove', kind.users, user._id)
      ]

      // told to all, as the generator's channels do
      await eve.next(`${kind.users} removed`)
      assert.deepEqual([...new Set(eve.events.map(([name]) => name))].sort(), [
        `${kind.users} patched`,
        `${kind.users} removed`
      ])

      for (const said of [...answers, ...eve.events, ...own.events]) {
        const text = JSON.stringify(said)

        assert.match(text, /mary/)
        assert.doesNotMatch(text, /"sessions"|"used"|"renewable"|"password"|\$2[aby]\$/)
      }
    })

    it('takes no query and no data of clients that names the sessions', async () => {
      const { accessToken: token, [kind.entity]: user } = await newLogin('joan@example.com')
      const one = `/${kind.users}/${user._id}`
      const socket = await signedIn(token)
      const answers = [
        await ask('GET', `/${kind.users}?sessions.device.ip=127.0.0.1`, { token }),
        await ask('GET', `/${kind.users}?$or[0][sessions.id][$gt]=`, { token }),
        await ask('GET', `/${kind.users}?$sort[sessions.id]=1`, { token }),
        await ask('GET', `${one}?$select[]=sessions`, { token }),
        await ask('PATCH', one, { token, body: { sessions: [] } }),
        await ask('PATCH', one, { token, body: { 'sessions.0.expiresAt': '2999-01-01' } }),
        await ask('PATCH', one, { token, body: { $unset: { sessions: true } } }),
        await ask('PATCH', one, { token, body: { $rename: { sessions: 'email' } } }),
        await ask('POST', `/${kind.users}`, { body: { email: 'x@example.com', password, sessions: [] } })
      ]

      assert.deepEqual(answers.map(outcome), Array(9).fill('400'))
      await assert.rejects(socket.call('patch', kind.users, user._id, { $set: { sessions: [] } }), {
        code: 400
      })
      assert.equal(outcome(await ask('GET', one, { token })), '200')
    })

    it('answers an earlier token with 401', async () => {
      const asked = await ask('GET', `/${kind.users}`, { token: stockToken })

      assert.equal(outcome(asked), '401 invalid')
      assert.equal(outcome(await authenticate({ strategy: 'jwt', accessToken: stockToken })), '401 invalid')
    })

    if (kind.fixture === 'generated-js') {
      describe('at a terminal', () => {
        const moult = (args: string[], settings?: object) => moultIn(app, database.url, args, settings)

        before(async () => {
          // As `npm install` does
          await app.edit('package.json', (text) =>
            text.replace('"dependencies": {', '"dependencies": {"moult": "*",')
          )
        })

        it('lists and ends its sessions, at once', async () => {
          const { accessToken, session } = await newLogin('edith@example.com')
          const socket = await signedIn(accessToken)
          const shown = snippet('docs/cli.md', 'npx moult check').replaceAll('ada@', 'edith@')
          const [, list, endAll] = shown.split('\n').map((line) => line.split(' ').slice(2))
          const [listed, unknown, users] = await Promise.all([
            moult([...list!, '--json']),
            moult(['sessions', 'list', 'nobody@example.com']),
            moult(['users', 'list'])
          ])
          const ended = await moult(['sessions', 'end', 'edith@example.com', session.id])

          // what the app itself prints is on standard error
          assert.deepEqual([listed.code, JSON.parse(listed.stdout)[0].id], [0, session.id])
          assert.deepEqual([ended.code, ended.stdout], [0, '1 session has ended'])
          assert.equal(await socket.disconnected(), 'io server disconnect')
          assert.deepEqual([unknown.code, unknown.stdout], [1, ''])
          assert.match(unknown.stderr, /^There is no member with the email nobody@example\.com$/m)
          assert.deepEqual([users.code, users.stdout], [1, ''])
          assert.match(users.stderr, /^This command needs a Moult service: .* managed by the app itself$/)
          assert.equal((await moult(endAll!)).stdout, '0 sessions have ended')
        })

        it('checks its settings and its database, and says how to fix them', async () => {
          const [good, wrong, away] = await Promise.all([
            moult(['check', '--json']),
            moult(['check'], { authentication: { 'refresh-token': { leeway: 'short' } } }),
            moultIn(app, 'mongodb://ada:hunter2@127.0.0.1:1/x?serverSelectionTimeoutMS=500', ['check'])
          ])
          const { ok, findings } = JSON.parse(good.stdout)

          assert.deepEqual([good.code, ok], [0, true])
          assert.deepEqual(
            findings.map(({ check, state }: Record<string, string>) => `${check} ${state}`),
            [
              'configuration ok',
              'database ok',
              'version ok',
              'replica set ok',
              'writes ok',
              'change stream ok',
              'indexes ok',
              'clock ok',
              'users ok'
            ]
          )

          const { insertedId } = await database.db.collection(kind.users).insertOne({ sessions: ['x'] })
          const foreign = await moult(['check'])

          await database.db.collection(kind.users).deleteOne({ _id: insertedId })
          assert.equal(foreign.code, 1)
          assert.match(
            foreign.stdout,
            /^users +wrong +Users have a field sessions that holds something other than sessions$/m
          )
          assert.match(foreign.stdout, /^ +users: write the name of a field that they do not have in /m)
          assert.equal(wrong.code, 1)
          assert.match(
            wrong.stdout,
            /^configuration +wrong +authentication\.refresh-token\.leeway is "short"$/m
          )
          assert.match(wrong.stdout, /^ +configuration: write a duration/m)
          assert.equal(away.code, 1)
          assert.match(
            away.stdout,
            /^database +wrong +that of the app can not be used \(.*(?:ECONNREFUSED|timed out).*\)$/m
          )
          assert.doesNotMatch(away.stdout, /hunter2/)
        })

        it('is told where its module is, if that is elsewhere', async () => {
          const manifest = await app.read('package.json')
          const named = (file: string) =>
            app.write('package.json', JSON.stringify({ ...JSON.parse(manifest), moult: { app: file } }))

          await named('dist/app.js')
          const { code, stdout } = await moult(['check'])
          await named('src/index.js')
          const withoutApp = await moult(['check'], { port: await freePort() })
          await app.write('package.json', manifest)

          assert.equal(code, 1)
          assert.match(stdout, /^configuration +wrong +There is no dist\/app\.js$/m)
          assert.match(stdout, /^ +configuration: compile the app, or name the module that exports `app`/m)
          assert.match(
            withoutApp.stdout,
            /wrong +src\/index\.js exports no `app` with the AuthenticationService/
          )
        })

        it('makes a key file, which the app uses, and rotates its keys', async () => {
          const config = await app.read('config/default.json')
          const settings = JSON.parse(config)

          Object.assign(settings.authentication, { keys: 'keys.json', secret: '', 'refresh-token': {} })
          await app.write('config/default.json', JSON.stringify(settings))

          try {
            assert.match((await moult(['keys', 'rotate'])).stdout, /^Made keys\.json/)

            const withKeys = await startGenerated(app, kind.main, database.url)

            assert.equal(outcome(await signIn('stock@example.com', withKeys.address)), '201')
            await withKeys.stop()
            assert.equal((await moult(['keys', 'rotate'])).code, 0)
            const { keys } = JSON.parse((await moult(['keys', 'show', '--json'])).stdout)

            assert.deepEqual(
              keys.map(({ kind, state }: Record<string, string>) => `${kind} ${state}`),
              ['access next', 'access signs', 'refresh next', 'refresh signs', 'factor signs']
            )
          } finally {
            await app.write('config/default.json', config)
          }

          const { code, stderr } = await moult(['keys', 'show'])

          assert.equal(code, 1)
          assert.match(stderr, /^The keys come from settings: name a key file in authentication\.keys/)
        })
      })

      it('signs in by OAuth with sessions and refresh tokens, as docs/oauth.md says', async () => {
        const provider = await startOAuthProvider()
        const port = await freePort()
        const diff = snippet('docs/oauth.md', '--- src/authentication.js')

        await applyDiff(app, diff.replaceAll("('authentication')", `('${kind.path}')`))
        provider.profile = { id: 7, email: 'lise@example.com' }
        const withOAuth = await startGenerated(
          app,
          kind.main,
          database.url,
          {
            authentication: {
              oauth: {
                redirect: 'https://app.example.com',
                defaults: { origin: `http://localhost:${port}` },
                example: provider.settings
              },
              'refresh-token': { strategies: ['local', 'example'] }
            }
          },
          port
        )

        try {
          const first = fragmentOf(await visitor().follow(`${withOAuth.address}/oauth/example`))
          const { sub } = decoded(first.access_token!).claims
          const { status, body } = await authenticate(
            { strategy: 'refresh-token', refreshToken: first.refresh_token },
            withOAuth.address
          )
          const claimed = await withOAuth.client.ask('PATCH', `/${kind.users}/${sub}`, {
            token: body.accessToken,
            body: { exampleId: 8, email: 'meitner@example.com' }
          })
          const again = fragmentOf(await visitor().follow(`${withOAuth.address}/oauth/example`))

          assert.equal(status, 201)
          assert.equal(body[kind.entity].email, 'lise@example.com')
          assert.equal(claimed.body.email, 'meitner@example.com')
          assert.equal(decoded(again.access_token!).claims.sub, sub)
        } finally {
          await withOAuth.stop()
          await provider.stop()
        }
      })
    }

    describe('told to accept earlier tokens', () => {
      let accepting: RunningApp

      before(async () => {
        const { secret } = JSON.parse(await app.read('config/default.json')).authentication
        const shown = snippet('docs/existing-app.md', 'stockTokens').replace('…', secret)

        accepting = await startGenerated(
          app,
          kind.main,
          database.url,
          merge(JSON.parse(shown), {
            authentication: { secret: 'another secret of access tokens than before' }
          })
        )
      })
      after(() => accepting.stop())

      it('does so for calls and sockets, without a session or a refresh token', async () => {
        const { client, address } = accepting
        const { sub } = decoded(stockToken).claims
        const asked = await client.ask('GET', `/${kind.users}/${sub}`, { token: stockToken })
        const again = await authenticate({ strategy: 'jwt', accessToken: stockToken }, address)
        const socket = await connect(address)

        opened.push(socket)
        await socket.call('create', kind.path, { strategy: 'jwt', accessToken: stockToken })

        assert.equal(asked.body.email, 'stock@example.com')
        assert.equal(again.body.accessToken, stockToken)
        assert.equal(again.body[kind.entity].email, 'stock@example.com')
        assert.deepEqual(
          Object.keys(again.body).sort(),
          ['accessToken', 'authentication', kind.entity].sort()
        )
        assert.equal((await socket.call('get', kind.users, sub)).email, 'stock@example.com')
        assert.equal(
          outcome(await authenticate({ strategy: 'refresh-token', refreshToken: stockToken }, address)),
          '401 invalid'
        )
      })

      it('signs in again as usual, to a session', async () => {
        const { body } = await signIn('stock@example.com', accepting.address)

        assert.equal(typeof body.refreshToken, 'string')
        assert.equal(decoded(body.accessToken).claims.sid, body.session.id)
      })

      it('refuses that token when its user is gone', async () => {
        const { client } = accepting
        const one = `/${kind.users}/${decoded(stockToken).claims.sub}`

        assert.equal(outcome(await client.ask('DELETE', one, { token: stockToken })), '200')
        const asked = await client.ask('GET', one, { token: stockToken })

        assert.equal(outcome(asked), '401 revoked')
      })
    })
  })
}
