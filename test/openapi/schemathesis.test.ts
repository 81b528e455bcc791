import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { merge, startApp, type Settings, type TestApp } from '../support/app.js'
import { startCallers, type Callers } from '../support/callers.js'
import { withFactors } from '../support/factors.js'
import { mailTo } from '../support/mailbox.js'
import { withPasskeys } from '../support/passkeys.js'
import { pythonTools, type PythonTools } from '../support/schemathesis.js'

const most = 10 // generated requests for each operation, besides those at the edges of each schema
const hooks = resolve(import.meta.dirname, 'callers.py')

// Whoever signs another one up does not see the new account, which to Schemathesis looks like one that is lost
const exclude = ['--exclude-checks', 'ensure_resource_availability']

// Made-up links are refused, though they look right: they have a run of their own
const withoutLinks = ['--exclude-path-regex', '^/password-resets']

const runs: { name: string; role: string; seed: number; args?: string[]; settings?: Settings }[] = [
  { name: 'a user', role: 'user', seed: 1, args: [...exclude, ...withoutLinks] },
  { name: 'an admin', role: 'admin', seed: 2, args: withoutLinks },
  {
    name: 'a user, with mail',
    role: 'user',
    seed: 4,
    // Made-up links are refused, though they look right
    args: [
      '--exclude-checks',
      'positive_data_acceptance,ensure_resource_availability',
      '--include-path-regex',
      '^/(password-resets|email-verifications|sign-in-codes)'
    ],
    settings: mailTo(
      { url: 'smtp://127.0.0.1:1' },
      { authentication: { authStrategies: ['jwt', 'local', 'refresh-token', 'email-code'] } }
    )
  },
  {
    name: 'a user, with factors and passkeys',
    role: 'user',
    seed: 5,
    // A made-up response is of no authenticator, and a made-up code of no app
    args: [
      '--max-examples=3',
      '--exclude-checks',
      'positive_data_acceptance,ensure_resource_availability',
      '--include-path-regex',
      '^/(factors|passkey)'
    ],
    settings: [
      withFactors(),
      withPasskeys('http://localhost:3030'),
      {
        authentication: {
          authStrategies: ['jwt', 'local', 'refresh-token', 'totp', 'recovery-code', 'passkey']
        }
      }
    ].reduce(merge)
  },
  {
    name: 'a user, with cookies and another field',
    role: 'user',
    seed: 3,
    args: [...exclude, '--include-path', '/authentication'],
    settings: { authentication: { 'refresh-token': { cookie: {}, field: 'refresh_token' } } }
  }
]

describe('Schemathesis, with all its checks', () => {
  let tools: PythonTools | undefined
  let folder: string

  before(async () => {
    tools = await pythonTools()
    folder = await mkdtemp(join(tmpdir(), 'moult-openapi-'))
  })
  after(() => rm(folder, { recursive: true }))

  const requireTools = (test: TestContext): PythonTools | undefined => {
    if (!tools) {
      test.skip('python3 with venv and pip is needed, and the package index; with CI set it has to be there')
    }
    return tools
  }

  it('finds the document valid, as does openapi-spec-validator', async (test) => {
    const file = join(folder, 'openapi.json')
    const t = await startApp()

    try {
      await writeFile(file, await (await fetch(`${t.address}/openapi.json`)).text())

      const result = await requireTools(test)?.run('openapi-spec-validator', [file])

      assert.equal(result?.code ?? 0, 0, result?.output)
    } finally {
      await t.stop()
    }
  })

  for (const { name, role, seed, args = [], settings = {} } of runs) {
    it(`finds no answer to ${name} that is not documented`, async (test) => {
      const st = requireTools(test)

      if (st) {
        const { code, output } = await withCallers(settings, ({ address }, callers) =>
          st.run(
            'st',
            [
              'run',
              `${address}/openapi.json`,
              '--checks=all',
              `--max-examples=${most}`,
              `--seed=${seed}`,
              '--generation-database=none',
              '--continue-on-failure',
              '--no-color',
              ...args
            ],
            { cwd: folder, env: { SCHEMATHESIS_HOOKS: hooks, CALLER: `${callers.address}/${role}` } }
          )
        )

        assert.equal(code, 0, output)
        test.diagnostic(/\d+ generated.*/.exec(output)?.[0] ?? output)
      }
    })
  }
})

async function withCallers<T>(
  settings: Settings,
  work: (t: TestApp, callers: Callers) => Promise<T>
): Promise<T> {
  const t = await startApp({ settings })
  const callers = await startCallers(t)

  try {
    return await work(t, callers)
  } finally {
    await callers.stop()
    await t.stop()
  }
}
