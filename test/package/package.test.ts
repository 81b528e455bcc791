import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { access, readFile, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { publint } from 'publint'
import { readPage, snippet } from '../support/documents.js'
import {
  applyDiff,
  compile,
  copyGenerated,
  makePackage,
  ownDatabase,
  startGenerated,
  type Package
} from '../support/generated-app.js'
import { password } from '../support/rest.js'
import { connect } from '../support/socket.js'

const run = promisify(execFile)

// What is not here is not meant for apps
const exported = {
  moult: [
    'AuthenticationService',
    'ConfigurationError',
    'FactorNeeded',
    'FactorStrategy',
    'RefreshTokenStrategy',
    'Refused',
    'SessionJwtStrategy',
    'StepUpNeeded',
    'attachRefreshToken',
    'checkedBy',
    'clearRefreshTokenCookie',
    'endSession',
    'factorFields',
    'hideSessions',
    'invalidData',
    'movePreviousTokens',
    'present',
    'publicKeySet',
    'refreshTokenCookie',
    'requireFactor',
    'requireRecent',
    'sessionHooks'
  ],
  'moult/factors': ['Factors', 'RecoveryCodeStrategy', 'TotpStrategy', 'factors'],
  'moult/passkeys': ['PasskeyStrategy', 'Passkeys', 'RegistrationRefused', 'passkeys', 'signUpWithPasskey'],
  'moult/accounts': ['LinkRefused', 'Unverified', 'accountsByMail', 'moveManagedAccounts', 'templates'],
  'moult/oauth': ['OAuthStrategy', 'idOf', 'oauth'],
  'moult/client': ['RefreshTokenClient']
}

/** What an app in TypeScript may write, and what it may not. */
const typed = `
import { AuthenticationService, Refused, present, publicKeySet, sessionHooks } from 'moult'
import type { EndReason, RefusalReason, Session } from 'moult'
import { RefreshTokenClient } from 'moult/client'
import { OAuthStrategy } from 'moult/oauth'
import { accountsByMail, type MailTemplates } from 'moult/accounts'
import type { Params } from '@feathersjs/feathers'
import type { Application } from './declarations'

type IsAny<T> = 0 extends 1 & T ? true : false

export const mails: Partial<MailTemplates> = {
  'sign-in-code': ({ code, email }) => ({ subject: code.slice(0, 3), text: email.at(0) ?? '' })
}
// @ts-expect-error -- no such option
export const configure = accountsByMail({ from: 'a@example.com', url: 'https://example.com', smtp: 'smtp://x', colour: 1 })

/** All that is exported has a type. */
export const isAny: [
  IsAny<AuthenticationService['sessions']>,
  IsAny<AuthenticationService['settings']>,
  IsAny<ReturnType<typeof sessionHooks>>,
  IsAny<ReturnType<typeof publicKeySet>['keys'][0]>,
  IsAny<NonNullable<Params['session']>>,
  IsAny<Refused['data']>
] = [false, false, false, false, false, false]

export const work = async (app: Application, params: Params) => {
  const service: AuthenticationService = app.service('authentication')
  const [record] = await service.sessions.list('id')
  const session: Session | undefined = record && present(record, params.session?.id)
  const reason: EndReason = 'logout'
  const refusal: RefusalReason = new Refused('revoked').data.reason
  const leeway: number = service.settings.leeway
  // @ts-expect-error -- no such reason
  const wrong: EndReason = 'boredom'
  // @ts-expect-error -- a date
  const age: string = session?.createdAt
  // @ts-expect-error -- no such field
  params.session?.refreshToken
  app.service('authentication').hooks(sessionHooks())
  service.sessions.on('removed', ({ userId, session, reason }) => [userId.at(0), session.device.name, reason.at(0)])

  return [refusal, RefreshTokenClient, OAuthStrategy, reason, leeway, wrong, age]
}
`

describe('the package', () => {
  let made: Package

  before(async () => {
    made = await makePackage()
  })
  after(() => made.remove())

  it('passes publint', async () => {
    const { messages } = await publint({ pkgDir: made.folder, pack: false, strict: true })

    assert.deepEqual(messages, [])
  })

  it('contains no tests, no tools, and no source map without its source', async () => {
    const paths = (await readdir(made.folder, { recursive: true })).sort()
    const maps = paths.filter((path) => path.endsWith('.map'))

    assert.deepEqual(
      paths.filter((path) => /(^|\/)(test|node_modules|data|docs|\.[^/]*)(\/|$)|\.test\./.test(path)),
      []
    )
    assert.ok(maps.length > 50)

    for (const path of maps) {
      const file = join(made.folder, path)
      const { sources } = JSON.parse(await readFile(file, 'utf8'))

      for (const source of sources) {
        await access(join(dirname(file), source))
      }
    }
  })

  it('is as small as docs/existing-app.md says', async () => {
    const [, packed, unpacked] = /(\d+) kB packed,\s(\d\.\d) MB unpacked/.exec(
      readPage('docs/existing-app.md')
    )!

    assert.ok(made.packedSize <= Number(packed) * 1000, `${made.packedSize} bytes packed`)
    assert.ok(made.unpackedSize <= Number(unpacked) * 1e6, `${made.unpackedSize} bytes unpacked`)
  })

  it('exports what docs/existing-app.md lists, types too', async () => {
    const page = readPage('docs/existing-app.md')
    const { exports } = JSON.parse(await readFile(join(made.folder, 'package.json'), 'utf8'))
    const [, ...sections] = page.split(/^\| from /m)

    for (const name of Object.keys(exported)) {
      const file = exports[name.replace('moult', '.')].types
      const declared = await readFile(join(made.folder, file), 'utf8')
      const names = [...declared.matchAll(/^export (?:type )?{(.*?)}/gms)].flatMap(([, list]) =>
        list!.split(',').map((one) => one.trim().replace('type ', ''))
      )
      const table = sections.find((section) => section.startsWith(`\`${name}\` `))!.split('\n\n')[0]!
      const listed = [...table.matchAll(/`(\w+)(?:\(\))?`/g)].map(([, word]) => word!)

      assert.deepEqual(
        names.filter((one) => !listed.includes(one)),
        [],
        name
      )
    }
  })

  it('uses no types of packages that it does not depend on', async () => {
    const manifest = JSON.parse(await readFile(join(made.folder, 'package.json'), 'utf8'))
    const known = { ...manifest.dependencies, ...manifest.peerDependencies }
    const paths = (await readdir(join(made.folder, 'lib'), { recursive: true })).filter((path) =>
      /^(refresh-token|accounts|client)\/.*\.d\.ts$/.test(path)
    )

    for (const path of paths) {
      const declared = await readFile(join(made.folder, 'lib', path), 'utf8')
      const names = [...declared.matchAll(/(?:from |import\()['"]([^.'"][^'"]*)['"]/g)].map(
        ([, name]) => /^(@[^/]+\/)?[^/]+/.exec(name!)![0]
      )

      for (const name of names.filter((one) => !one.startsWith('node:'))) {
        assert.ok(name in known, `${path} has types of ${name}`)
      }

      // Its types are in another package
      assert.ok(!names.includes('jsonwebtoken'), path)
    }
  })

  describe('in an app', () => {
    let app: Awaited<ReturnType<typeof copyGenerated>>

    before(async () => {
      app = await copyGenerated('generated-ts', made)
    })
    after(() => app.remove())

    const exportsOf = async (code: string): Promise<unknown> => {
      const { stdout } = await run(process.execPath, ['--input-type', ...code.split('\n')], {
        cwd: app.folder
      })

      return JSON.parse(stdout)
    }

    for (const [name, names] of Object.entries(exported)) {
      it(`exports what is meant, to import and require: ${name}`, async () => {
        const sorted = '.filter((name) => name !== "__esModule" && name !== "module.exports").sort()'

        assert.deepEqual(
          await exportsOf(
            `module\n-e\nimport * as all from '${name}'; console.log(JSON.stringify(Object.keys(all)${sorted}))`
          ),
          names
        )
        assert.deepEqual(
          await exportsOf(
            `commonjs\n-e\nconsole.log(JSON.stringify(Object.keys(require('${name}'))${sorted}))`
          ),
          names
        )
      })
    }

    it('exports no more than that', async () => {
      const code =
        "module\n-e\nimport('moult/lib/app.js').catch(({ code }) => console.log(JSON.stringify(code)))"

      assert.equal(await exportsOf(code), 'ERR_PACKAGE_PATH_NOT_EXPORTED')
    })

    it('is installed by the name that docs/existing-app.md says', async () => {
      const { name } = JSON.parse(await readFile(join(made.folder, 'package.json'), 'utf8'))

      assert.equal(snippet('docs/existing-app.md', 'npm install'), `npm install ${name}\n`)
    })

    describe('with the examples of docs/existing-app.md', () => {
      const database = ownDatabase()

      before(async () => {
        await applyDiff(app, snippet('docs/existing-app.md', '--- src/authentication.ts'))
        await app.write(
          'src/hooks/end-other-sessions.ts',
          snippet('docs/existing-app.md', 'endOtherSessions')
        )
        await app.write('src/services/sessions.ts', snippet('docs/existing-app.md', 'SessionService'))
        await app.write('src/typed.ts', typed)
        await app.edit('src/services/index.ts', (text) =>
          `import { sessions } from './sessions'\n${text}`.replace(
            '  // All',
            '  app.configure(sessions)\n  // All'
          )
        )
        await app.edit('src/services/users/users.ts', (text) =>
          `import { endOtherSessions } from '../../hooks/end-other-sessions'\n${text}`.replace(
            'after: {',
            'after: {\n      patch: [endOtherSessions],'
          )
        )
        await compile(app)
      })
      after(() => database.close())

      it('lets users see and end their sessions, and ends the others when the password changes', async () => {
        const { client, address, stop } = await startGenerated(app, 'lib/', database.url)
        const { email, _id } = await client.signUp({ email: 'ada@example.com' })
        const signIn = async () => (await client.signIn(email)).body
        const [laptop, phone] = [await signIn(), await signIn()]
        const ask = (method: string, path: string, body?: object) =>
          client.ask(method, path, { token: laptop.accessToken, ...(body && { body }) })
        const ids = async () =>
          (await ask('GET', '/sessions')).body.map(({ id, current }: { id: string; current: boolean }) => [
            id,
            current
          ])
        const stranger = await connect(address)

        try {
          assert.deepEqual(await ids(), [
            [phone.session.id, false],
            [laptop.session.id, true]
          ])
          assert.equal((await ask('DELETE', `/sessions/${phone.session.id}`)).body.id, phone.session.id)
          assert.equal((await ask('DELETE', `/sessions/${phone.session.id}`)).status, 404)

          const tablet = await signIn()

          assert.equal((await ids()).length, 2)
          assert.equal((await ask('PATCH', `/users/${_id}`, { password: `${password}!` })).status, 200)
          assert.deepEqual(await ids(), [[laptop.session.id, true]])
          assert.equal((await client.refresh(tablet.refreshToken)).body.data.reason, 'revoked')
          assert.deepEqual(
            stranger.events.filter(([name]) => name.startsWith('sessions')),
            []
          )
        } finally {
          stranger.close()
          await stop()
        }
      })

      it('has types that infer, and that refuse what is wrong', async () => {
        await app.edit('src/typed.ts', (text) => text.replace("'logout'", "'log out'"))
        await assert.rejects(compile(app), /'"log out"' is not assignable to type 'EndReason'/)
      })
    })
  })
})
