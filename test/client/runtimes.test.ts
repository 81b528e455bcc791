import { build } from 'esbuild'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { startApp, type TestApp } from '../support/app.js'
import { newPerson } from '../support/people.js'
import { password } from '../support/rest.js'

const root = resolve(import.meta.dirname, '../..')
const execute = promisify(execFile)

// Each comes from the npm registry, into this user's cache
const runtimes: Record<string, { name: string; version: string; args: string[]; binary: string }> = {
  Bun: { name: '@oven/bun-linux-x64', version: '1.4.5', args: [], binary: 'bin/bun' },
  Deno: {
    name: '@deno/linux-x64-glibc',
    version: '2.9.6',
    args: ['run', '--allow-all', '--quiet'],
    binary: 'deno'
  }
}

async function runtimeOf({ name, version, binary }: (typeof runtimes)[string]): Promise<string> {
  const folder = join(homedir(), '.cache/moult', `${name.replace('/', '-')}-${version}`)
  const path = join(folder, 'node_modules', name, binary)
  const isThere = await access(path).then(
    () => true,
    () => false
  )

  if (!isThere) {
    const quiet = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']

    await execute('npm', ['install', ...quiet, '--prefix', folder, `${name}@${version}`], {
      timeout: 120_000
    })
  }

  return path
}

describe('the client in another runtime', { skip: process.arch !== 'x64' }, () => {
  let t: TestApp
  let folder: string
  let program: string

  before(async () => {
    t = await startApp()
    folder = await mkdtemp(join(tmpdir(), 'moult-runtimes-'))
    program = join(folder, 'app.mjs')

    await build({
      entryPoints: [join(root, 'test/support/runtime-app.ts')],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      banner: {
        js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url)'
      }
    })
  })
  after(async () => {
    await t.stop()
    await rm(folder, { recursive: true })
  })

  for (const [title, runtime] of Object.entries(runtimes)) {
    for (const transport of ['rest', 'socket']) {
      it(`keeps its session on ${title} over ${transport}`, async () => {
        const { email } = await newPerson(t)
        const { stdout } = await execute(
          await runtimeOf(runtime),
          [...runtime.args, program, transport, t.address, email, password],
          { timeout: 60_000, env: { ...process.env, NODE_OPTIONS: '' } }
        )

        assert.deepEqual(JSON.parse(stdout), {
          sessions: 2,
          email,
          events: ['login', 'refreshed', 'refreshed', 'login', 'logout'],
          refusal: 'NotAuthenticated'
        })
      })
    }
  }
})
