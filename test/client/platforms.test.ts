import { parse } from '@babel/parser'
import { build, type BuildOptions } from 'esbuild'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { startApp, type TestApp } from '../support/app.js'
import { newPerson } from '../support/people.js'
import { password } from '../support/rest.js'

const root = resolve(import.meta.dirname, '../..')
// As docs/client.md says
const oldest = ['chrome91', 'edge91', 'firefox90', 'safari15']

const bundle = async (options: BuildOptions) => {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'src/client/index.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    external: ['@feathersjs/*'],
    tsconfigRaw: { compilerOptions: { target: 'es2022' } },
    ...options
  })

  return outputFiles![0]!.text
}

/** All nodes of a program. */
function* nodesOf(node: any): Generator<any> {
  if (typeof node?.type === 'string') {
    yield node
  }

  for (const [key, child] of Object.entries(node ?? {})) {
    if (typeof child === 'object' && key !== 'loc') {
      yield* nodesOf(child)
    }
  }
}

describe('the oldest browsers', () => {
  it('can parse the client without transpiling', async () => {
    assert.equal(await bundle({ target: oldest }), await bundle({ target: 'esnext' }))
    assert.notEqual(await bundle({ target: 'chrome85' }), await bundle({ target: 'esnext' }))
  })

  it('have the globals and methods that the client cannot do without', async () => {
    // Names of its own are short in this
    const { program } = parse(await bundle({ target: 'esnext', minify: true }), { sourceType: 'module' })
    const globals = new Set<string>()
    const members = new Set<string>()

    for (const node of nodesOf(program)) {
      if (node.type === 'MemberExpression' && !node.computed) {
        members.add(node.property.name)
        node.property = undefined
      } else if (
        /^(ObjectProperty|ObjectMethod|ClassMethod|ImportSpecifier|ExportSpecifier)$/.test(node.type)
      ) {
        node.key = node.imported = node.exported = undefined
      } else if (node.type === 'OptionalMemberExpression' && !node.computed) {
        node.property = undefined
      } else if (node.type === 'Identifier' && node.name.length > 2) {
        globals.add(node.name)
      }
    }

    assert.deepEqual([...globals].sort(), [
      'Date',
      'Error',
      'JSON',
      'Math',
      'Number',
      'Object',
      'Promise',
      'Set',
      'String',
      'Symbol',
      'URL',
      'clearTimeout',
      'console',
      'fetch',
      'globalThis',
      'setTimeout'
    ])

    for (const younger of [
      'at',
      'hasOwn',
      'findLast',
      'toSorted',
      'replaceAll',
      'withResolvers',
      'any',
      'timeout'
    ]) {
      assert.ok(!members.has(younger), younger)
    }
  })
})

describe('a page whose browser', () => {
  let t: TestApp

  before(async () => {
    t = await startApp()
  })
  after(() => t.stop())

  for (const [what, script] of Object.entries({
    'has no channel, no locks and no crypto': 'delete globalThis.BroadcastChannel; delete globalThis.crypto',
    'has a channel that throws':
      'globalThis.BroadcastChannel = class { constructor() { throw new Error("denied") } }',
    'has a channel that sends nothing':
      'globalThis.BroadcastChannel = class { postMessage() {} addEventListener() {} removeEventListener() {} }',
    'has a channel that throws when it sends':
      'globalThis.BroadcastChannel = class { postMessage() { throw new Error("closed") } addEventListener() {} removeEventListener() {} }',
    'has locks that throw': 'navigator.locks = { request() { throw new Error("denied") } }',
    'has locks that refuse': 'navigator.locks = { request: () => Promise.reject(new Error("denied")) }',
    'has locks that never answer': 'navigator.locks = { request: () => new Promise(() => {}) }',
    'has no events': 'delete globalThis.addEventListener',
    'has no AbortSignal.timeout': 'delete AbortSignal.timeout'
  })) {
    it(`${what} renews its tokens`, async () => {
      const { email } = await newPerson(t)
      const page = `globalThis.document = {}; globalThis.addEventListener = () => {}
        Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true }); ${script}`
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--import', 'tsx', join(root, 'test/support/odd-page.ts'), t.address, email, password, page],
        { cwd: root, timeout: 60_000 }
      )

      assert.deepEqual(JSON.parse(stdout), {
        sessions: 2,
        events: ['login', 'refreshed', 'refreshed', 'logout'],
        thrown: 0
      })
    })
  }

  it("reports errors of the app's listeners, and the client continues", async () => {
    const { email } = await newPerson(t)
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--import',
        'tsx',
        join(root, 'test/support/odd-page.ts'),
        t.address,
        email,
        password,
        'globalThis.throwing = ["login", "authenticated", "refreshed", "logout"]'
      ],
      { cwd: root, timeout: 60_000 }
    )

    assert.deepEqual(JSON.parse(stdout), {
      sessions: 2,
      events: ['login', 'refreshed', 'refreshed', 'logout'],
      thrown: 5
    })
  })
})
