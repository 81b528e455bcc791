import { build } from 'esbuild'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { runInNewContext } from 'node:vm'
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

// Node.js 20 has none of its own; this is the one that socket.io-client uses there
const engine = createRequire(createRequire(import.meta.url).resolve('socket.io-client')).resolve(
  'engine.io-client'
)
const webSocket: unknown = createRequire(engine)('ws')

/** `URL` as React Native 0.7x has it: it joins texts, and most of it is not implemented. */
class ReducedUrl {
  readonly href: string

  constructor(url: string, base?: string) {
    this.href = base && !/^[a-z]+:/i.test(url) ? base.replace(/\/$/, '') + url : url
  }

  toString(): string {
    return this.href
  }
}

for (const name of ['hash', 'host', 'hostname', 'origin', 'pathname', 'port', 'protocol', 'searchParams']) {
  Object.defineProperty(ReducedUrl.prototype, name, {
    get() {
      throw new Error(`URL.${name} is not implemented`)
    }
  })
}

describe('the client in React Native', () => {
  let t: TestApp
  let code: string

  before(async () => {
    t = await startApp()

    const { outputFiles } = await build({
      entryPoints: [join(root, 'test/support/react-native-app.ts')],
      write: false,
      bundle: true,
      platform: 'browser',
      format: 'iife',
      target: 'es2020'
    })

    code = outputFiles[0]!.text
  })
  after(() => t.stop())

  for (const transport of ['rest', 'socket']) {
    it(`keeps its session over ${transport}`, async () => {
      const { email } = await newPerson(t)
      const items = new Map<string, string>()
      const later = () => new Promise((resolve) => setTimeout(resolve, 5))
      const AsyncStorage = {
        getItem: async (key: string) => (await later(), items.get(key) ?? null),
        async setItem(key: string, value: string) {
          if (typeof value !== 'string') {
            throw new TypeError('AsyncStorage takes strings')
          }

          await later()
          items.set(key, value)
        },
        removeItem: async (key: string) => (await later(), void items.delete(key))
      }
      const result = await new Promise((resolve) => {
        const globals: Record<string, unknown> = {
          AsyncStorage,
          done: resolve,
          task: { transport, address: t.address, email, password },
          // What there is; missing are document, location, localStorage, crypto, BroadcastChannel, structuredClone,
          // queueMicrotask, TextEncoder, AbortSignal, addEventListener and navigator.locks
          fetch: (url: string, options: RequestInit) => fetch(url, options),
          WebSocket: webSocket,
          URL: ReducedUrl,
          navigator: { product: 'ReactNative' },
          console,
          performance: { now: () => performance.now() },
          setTimeout,
          clearTimeout,
          setInterval,
          clearInterval
        }

        globals.window = globals.self = globals.global = globals
        runInNewContext(code, globals)
      })

      assert.deepEqual(JSON.parse(JSON.stringify(result)), {
        sessions: 2,
        email,
        events: ['login', 'refreshed', 'refreshed', 'login', 'logout'],
        refusal: 'NotAuthenticated'
      })
      assert.deepEqual([...items], [])
    })
  }
})
