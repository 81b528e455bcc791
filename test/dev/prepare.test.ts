import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '../..')
const installs = 'Installing the dependencies that package-lock.json lists …\n'
const builds = 'Building lib/ from src/ …\n'
const bundles = 'Building public/client.js from public/page/ …\n'

let template: string
let clone: string

const run = (command: string, args: string[], cwd: string) =>
  promisify(execFile)(command, args, { cwd, env: { ...process.env, NODE_ENV: 'production' } })

/** What the preparation of the clone prints, all of it for people. npm's own part of it is not ours. */
const prepare = async (...args: string[]) => {
  const { stdout, stderr } = await run(process.execPath, ['src/dev/prepare.mjs', ...args], clone)

  assert.equal(stdout, '')
  return stderr.replace(/\n(added|changed|up to date).*\n/g, '')
}

/** The same, with another process that does something at the moment when `call` of node:fs has answered for a file. */
const prepareWhile = async (call: string, file: string, other: string) => {
  const script = `
    import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    const { ${call} } = fs
    let done = false
    fs.${call} = (file, ...rest) => {
      const answer = ${call}(file, ...rest)
      if (!done && file.endsWith('${file}')) { done = true; ${other} }
      return answer
    }
    syncBuiltinESMExports()`
  const args = ['--import', `data:text/javascript,${encodeURIComponent(script)}`, 'src/dev/prepare.mjs']

  return (await run(process.execPath, args, clone)).stderr
}

const built = () => run(process.execPath, ['lib/index.js'], clone).then(({ stdout }) => stdout.trim())
const path = (...parts: string[]) => join(clone, ...parts)
const write = (file: string, text: string) => writeFile(path(file), text)
const forgetDependencies = () => rm(path('node_modules'), { recursive: true, force: true })
const isInstalled = (name: string) => existsSync(path('node_modules', name, 'package.json'))

/** A project with a dependency and tools of its own; its compiler is the one of this project. */
before(async () => {
  template = await mkdtemp(join(tmpdir(), 'moult-prepare-'))
  clone = join(template, 'clone')
  await mkdir(path('src', 'dev'), { recursive: true })
  for (const file of [
    'tsconfig.json',
    'src/dev/prepare.mjs',
    'src/dev/alone.mjs',
    'src/dev/read-text.mjs',
    'src/dev/page-bundle.mjs'
  ]) {
    await cp(join(root, file), path(file))
  }
  const modules = join(root, 'node_modules')

  await pack('tiny', '1.0.0')
  await pack('tiny', '2.0.0')
  await pack('typescript', '1.0.0', 'bin/tsc', `import('${modules}/typescript/bin/tsc')`)
  await pack(
    '@types/node',
    '1.0.0',
    'index.d.ts',
    `/// <reference path="${modules}/@types/node/index.d.ts" />`
  )
  await pack('esbuild', '1.0.0', 'index.js', `module.exports = require('${modules}/esbuild')`)
  await makeLock('1.0.0')
  await makeLock('2.0.0')
})

after(() => rm(template, { recursive: true }))

/** Packs a dependency, with one file in it, into vendor/. */
async function pack(name: string, version: string, file = 'index.js', text = ''): Promise<void> {
  const folder = join(template, 'packages', name, version)

  await mkdir(join(folder, file, '..'), { recursive: true })
  await mkdir(path('vendor'), { recursive: true })
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name, version }))
  await writeFile(join(folder, file), text)
  await run('npm', ['pack', '--silent', '--pack-destination', path('vendor')], folder)
}

/** Makes package.json and package-lock.json with that version of `tiny`, in a folder where npm installs nothing. */
async function makeLock(version: string): Promise<void> {
  const folder = join(template, `lock-${version}`)

  await cp(path('vendor'), join(folder, 'vendor'), { recursive: true })
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({
      name: 'clone',
      type: 'module',
      dependencies: { tiny: `file:vendor/tiny-${version}.tgz` },
      devDependencies: {
        typescript: 'file:vendor/typescript-1.0.0.tgz',
        '@types/node': 'file:vendor/types-node-1.0.0.tgz',
        esbuild: 'file:vendor/esbuild-1.0.0.tgz'
      }
    })
  )
  await run('npm', ['install', '--package-lock-only', '--offline', '--include=dev'], folder)
}

/** What a pull that brings that version of `tiny` does. */
async function lock(version: string): Promise<void> {
  for (const file of ['package.json', 'package-lock.json']) {
    await cp(join(template, `lock-${version}`, file), path(file))
  }
}

beforeEach(async () => {
  await lock('1.0.0')
  await rm(path('lib'), { recursive: true, force: true })
  await write('src/index.ts', "import { greeting } from './greeting.js'\n\nconsole.log(greeting)\n")
  await write('src/greeting.ts', "export const greeting: string = 'hello'\n")
})

describe('the preparation of a clone', () => {
  it('installs and builds, and nothing the second time', async () => {
    await forgetDependencies()
    assert.equal(await prepare(), installs + builds)
    assert.equal(await built(), 'hello')
    assert.ok(isInstalled('tiny') && isInstalled('typescript'))
    assert.equal(await prepare(), '')
  })

  it('only builds after `npm ci`', async () => {
    await run('npm', ['ci', '--offline', '--include=dev'], clone)
    assert.equal(await prepare(), builds)
  })

  it('installs again when another version is locked, or one is missing', async () => {
    await prepare()
    await lock('2.0.0')
    assert.equal(await prepare(), installs + builds)
    assert.match(await readFile(path('node_modules/tiny/package.json'), 'utf8'), /2\.0\.0/)

    await rm(path('node_modules/tiny'), { recursive: true })
    assert.equal(await prepare(), installs)
    assert.ok(isInstalled('tiny'))
  })

  it('accepts a built production install, unless the tools are wanted', async () => {
    await prepare()
    await run('npm', ['ci', '--offline', '--omit=dev'], clone)
    assert.ok(!isInstalled('typescript'))
    assert.equal(await prepare(), '')
    assert.equal(await prepare('--dev'), installs)
    assert.ok(isInstalled('typescript'))
  })

  it('builds what changed, and removes what was built from sources that are gone', async () => {
    await prepare()
    await write('src/greeting.ts', "export const greeting: string = 'hi'\n")
    assert.equal(await prepare(), builds)
    assert.equal(await built(), 'hi')

    await write('src/index.ts', "console.log('alone')\n")
    await rm(path('src/greeting.ts'))
    assert.equal(await prepare(), builds)
    assert.equal(await built(), 'alone')
    assert.ok(!existsSync(path('lib/greeting.js')) && !existsSync(path('lib/greeting.d.ts')))
  })

  it('builds again what was lost', async () => {
    await prepare()
    await rm(path('lib/greeting.js'))
    assert.equal(await prepare(), builds)
    assert.equal(await built(), 'hello')
  })

  it('fails while a source is wrong, and builds once it is right', async () => {
    await prepare()
    await write('src/greeting.ts', 'export const greeting: string = 1\n')
    await assert.rejects(prepare(), { code: 1 })
    await assert.rejects(prepare(), { code: 1 })
    await write('src/greeting.ts', "export const greeting: string = 'hello'\n")
    assert.equal(await prepare(), builds)
  })

  it("builds the page's script, when it has changed or is lost", async () => {
    const script = () => readFile(path('public/client.js'), 'utf8')

    await prepare()
    await mkdir(path('public/page'), { recursive: true })
    await write('public/page/main.ts', "import { word } from './word.ts'\n\nconsole.log(word as string)\n")
    await write('public/page/word.ts', "export const word: unknown = 'first'\n")

    try {
      assert.equal(await prepare(), bundles)
      assert.match(await script(), /"first"/)
      assert.equal(await prepare(), '')

      await write('public/page/word.ts', "export const word: unknown = 'second'\n")
      assert.equal(await prepare('--page'), bundles)
      assert.match(await script(), /"second"/)
      assert.equal(await prepare('--no-build'), '')

      await rm(path('public/client.js'))
      assert.equal(await prepare('--no-build'), '')
      assert.equal(await prepare(), bundles)

      await write('public/page/word.ts', 'export const word = (\n')
      await assert.rejects(prepare(), { code: 1 })
      await write('public/page/word.ts', "export const word: unknown = 'third'\n")
      assert.equal(await prepare(), bundles)
    } finally {
      await rm(path('public'), { recursive: true })
    }
  })

  it('happens once if three processes start at once', async () => {
    await forgetDependencies()
    const outputs = (await Promise.all([prepare(), prepare(), prepare()])).join('')

    assert.equal(outputs.split(installs).length - 1, 1)
    assert.equal(outputs.split(builds).length - 1, 1)
    assert.equal(await built(), 'hello')
  })

  it('continues after another process was killed while preparing', async () => {
    const lockFile = path('.prepare.lock')
    const longAgo = new Date(Date.now() - 60_000)

    await forgetDependencies()
    await writeFile(lockFile, '1\n')
    await utimes(lockFile, longAgo, longAgo)
    assert.equal(await prepare(), installs + builds)
    assert.ok(!existsSync(lockFile))
  })

  it('does not mind that another process begins a build at any moment', async () => {
    await prepare()
    const stderr = await prepareWhile('existsSync', 'lib/.stamp', 'fs.rmSync(file)')

    assert.ok(['', builds].includes(stderr), stderr)
    assert.equal(await built(), 'hello')
  })

  it('leaves the lock to another process that found it abandoned first', async () => {
    const lockFile = path('.prepare.lock')
    const longAgo = new Date(Date.now() - 60_000)
    const replaceLock = `
      fs.rmSync(file)
      fs.writeFileSync(file, 'of another')
      setTimeout(() => { console.error('The other is done'); fs.rmSync(file, { force: true }) }, 1000)`

    await prepare()
    await rm(path('lib/.stamp'))
    await writeFile(lockFile, '1\n')
    await utimes(lockFile, longAgo, longAgo)

    const stderr = await prepareWhile('statSync', '.prepare.lock', replaceLock)

    assert.match(stderr, /^Waiting for another process .*\nThe other is done\nBuilding lib/)
    assert.ok(!existsSync(lockFile))
  })

  it('says so when package-lock.json is missing', async () => {
    await rm(path('package-lock.json'))
    await assert.rejects(prepare(), { stderr: /^package-lock\.json is missing or unreadable/ })
  })
})
