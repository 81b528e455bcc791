import { authenticate } from '@feathersjs/authentication'
import { transform } from 'esbuild'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Application } from '../../src/declarations.js'
import { requireFactor, requireRecent } from '../../src/refresh-token/index.js'
import { startApp, type Settings, type TestApp } from '../support/app.js'
import { runCode, runShell, snippet } from '../support/documents.js'
import { factorSecret, newGuarded, type Guarded } from '../support/factors.js'
import { isMoultCall } from '../support/moult.js'
import { newPerson } from '../support/people.js'
import { restClient } from '../support/rest.js'

const settings = JSON.parse(snippet('docs/factors.md', '"authStrategies"')) as { authentication: Settings }

/** The function that the block with the hooks exports. */
async function hooksShown(): Promise<(app: Application) => void> {
  const { code } = await transform(snippet('docs/factors.md', 'requireFactor({'), { loader: 'ts' })

  return runCode(
    code.replace('export const', 'const'),
    { authenticate, requireFactor, requireRecent },
    'delicate'
  )
}

describe('docs/factors.md', () => {
  let t: TestApp
  let ada: Guarded

  before(async () => {
    const delicate = await hooksShown()

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
  after(() => t.stop())

  const typed = async (command: string, env: Record<string, string>) =>
    JSON.parse(
      await runShell(command.replace('http://localhost:3030', t.address).replace('curl ', 'curl -s '), {
        env
      })
    )

  it('shows what the gate answers, and how to answer it', async () => {
    const { body } = await restClient(t.address).signIn(ada.person.email)
    const shown = JSON.parse(snippet('docs/factors.md', '"challenge": "eyJ…"'))

    assert.deepEqual({ ...body.data, challenge: 'eyJ…' }, shown)

    const login = await typed(snippet('docs/factors.md', '$CHALLENGE'), {
      CHALLENGE: body.data.challenge,
      CODE: ada.app.next()
    })

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

    const { accessToken } = await typed(snippet('docs/factors.md', '$TOKEN'), {
      TOKEN: person.accessToken,
      CODE: app.next()
    })

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
