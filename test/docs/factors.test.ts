import { transform } from 'esbuild'
import assert from 'node:assert/strict'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Application } from '../../src/declarations.js'
import { startApp, type Settings, type TestApp } from '../support/app.js'
import { root, runShell, snippet } from '../support/documents.js'
import { factorSecret, newGuarded, type Guarded } from '../support/factors.js'
import { isMoultCall } from '../support/moult.js'
import { newPerson } from '../support/people.js'
import { restClient } from '../support/rest.js'

const folder = join(root, 'node_modules/.cache', `moult-factors-${process.pid}`) // inside, so that packages are found
const settings = JSON.parse(snippet('docs/factors.md', '"authStrategies"')) as { authentication: Settings }

/** The function that a block exports, with the package as it is in src/. */
async function exported(words: string, name: string): Promise<(app: Application) => void> {
  const file = join(folder, `${name}.ts`)
  const { code } = await transform(
    snippet('docs/factors.md', words).replaceAll(
      /from 'moult'/g,
      `from ${JSON.stringify(join(root, 'src/refresh-token/index.ts'))}`
    ),
    { loader: 'ts' }
  )

  await mkdir(folder, { recursive: true })
  await writeFile(file, code)
  return ((await import(file)) as Record<string, (app: Application) => void>)[name]!
}

describe('docs/factors.md', () => {
  let t: TestApp
  let ada: Guarded

  before(async () => {
    const delicate = await exported('requireFactor({', 'delicate')

    t = await startApp({
      settings: {
        authentication: { ...settings.authentication, factors: { secret: factorSecret } }
      },
      configure(app) {
        ;(app as never as { use(path: string, service: object): void }).use('payments', {
          create: async () => ({}),
          remove: async () => ({})
        })
        delicate(app)
      }
    })
    ada = await newGuarded(t)
  })
  after(async () => {
    await t.stop()
    await rm(folder, { recursive: true })
  })

  const typed = async (words: string, env: Record<string, string>) =>
    JSON.parse(
      await runShell(
        snippet('docs/factors.md', words)
          .replace('http://localhost:3030', t.address)
          .replace('curl ', 'curl -s '),
        { env }
      )
    )

  it('shows what the gate answers, and how to answer it', async () => {
    const { body } = await restClient(t.address).signIn(ada.person.email)
    const shown = JSON.parse(snippet('docs/factors.md', '"challenge": "eyJ…"'))

    assert.deepEqual({ ...body.data, challenge: 'eyJ…' }, shown)

    const login = await typed('$CHALLENGE', { CHALLENGE: body.data.challenge, CODE: ada.app.next() })

    assert.deepEqual(login.authentication.payload.amr, ['pwd', 'otp', 'mfa'])
  })

  it('shows the figure of the states, whose outcomes the tests of the gate show', () => {
    const figure = snippet('docs/factors.md', '401 {reason: "factor"')

    for (const outcome of ['201', '401 invalid', '401 expired']) {
      assert.ok(figure.includes(outcome))
    }
  })

  it('shows the hooks, what they answer, and how to step up', async () => {
    const { person, app } = ada
    const pay = (token: string) => person.ask('POST', '/payments', { body: {}, token })
    const { status, headers } = await pay(person.accessToken)
    const [line, field] = snippet('docs/factors.md', 'HTTP/1.1 401').split('\n')

    assert.equal(line, `HTTP/1.1 ${status} Unauthorized`)
    assert.equal(field, `WWW-Authenticate: ${headers.get('www-authenticate')}`)

    const { accessToken } = await typed('\\"stepUp\\": true', { TOKEN: person.accessToken, CODE: app.next() })

    assert.equal((await pay(accessToken)).status, 201)
    assert.equal((await person.ask('DELETE', '/payments/1', { token: accessToken })).status, 200)

    const eve = await newPerson(t)

    assert.equal((await eve.ask('POST', '/payments', { body: {} })).status, 201)
    assert.equal((await eve.ask('DELETE', '/payments/1')).status, 401)
  })

  it('shows a command that there is', () => {
    const [, line] = snippet('docs/factors.md', '--clear').split('npm run moult -- ')

    assert.ok(isMoultCall(line!.trim().split(' ')))
  })
})
