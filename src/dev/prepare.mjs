// Makes a fresh clone ready: installs the locked dependencies, and builds lib/ and the page's script, each only when
// needed. Runs before `npm start`, `npm test` and the like; plain JavaScript, because nothing is installed yet.
//
//   node src/dev/prepare.mjs              what `npm start` needs: in a production install, no more than what is built
//   node src/dev/prepare.mjs --dev        the tools for development too
//   node src/dev/prepare.mjs --page       the tools and the page's script, without lib/
//   node src/dev/prepare.mjs --no-build   only the tools
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { alone } from './alone.mjs'
import { bundle, isBundled } from './page-bundle.mjs'

const root = resolve(import.meta.dirname, '../..')
const stampFile = join(root, 'lib/.stamp')
const cli = join(root, 'lib/cli.js')
const wantsPage = !process.argv.includes('--no-build')
const wantsBuild = wantsPage && !process.argv.includes('--page')
const wantsTools = !wantsBuild || process.argv.includes('--dev')

let running // the child process, for a signal to reach it

async function prepare() {
  if (isInstalled() && isBuilt() && hasPage()) return
  await alone(join(root, '.prepare.lock'), async () => {
    // asked again: another process may have done it while this one waited
    if (!isInstalled()) await install()
    if (!isBuilt()) await build()
    if (!hasPage()) await buildPage()
  })
}

/**
 * Whether node_modules holds what package-lock.json lists, by the list that npm keeps there. Packages for
 * other platforms may be absent; so may all that is for development, when lib/ is built.
 */
function isInstalled() {
  const locked = packages('package-lock.json')
  const present = packages('node_modules/.package-lock.json')
  if (!locked) throw new Error('package-lock.json is missing or unreadable; restore it from the repository.')
  if (!present) return false
  const needsTools = wantsTools || !isBuilt() || !hasPage()
  return Object.entries(locked).every(([path, entry]) => {
    if (path === '') return true // the project itself
    const found = present[path]
    if (found) return found.version === entry.version && existsSync(join(root, path))
    return entry.optional || (!needsTools && (entry.dev || entry.devOptional))
  })
}

function packages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages
  } catch {
    return undefined
  }
}

async function install() {
  console.error('Installing the dependencies that package-lock.json lists …')
  // tsc is one for development, so NODE_ENV=production must not leave those out; no package of ours needs to
  // run a script of its own when it is installed
  await run('npm', ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'])
}

/** Whether lib/ was built from the sources as they are. Contents count: a checkout or a copy changes times. */
function isBuilt() {
  if (!wantsBuild) return true
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === digest() && isComplete()
}

function isComplete() {
  return sources().every((file) => existsSync(`${outputStem(file)}.js`))
}

function digest() {
  const hash = createHash('sha256')
  for (const file of [join(root, 'tsconfig.json'), join(root, 'package-lock.json'), ...sources()]) {
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update('\0')
  }
  return hash.digest('hex')
}

async function build() {
  console.error('Building lib/ from src/ …')
  const built = digest() // before tsc reads them: a source that changes meanwhile is built next time
  rmSync(stampFile, { force: true })
  if (!isComplete()) rmSync(join(root, 'lib/.tsbuildinfo'), { force: true }) // tsc's notes say that it is
  await run(process.execPath, ['node_modules/typescript/bin/tsc'])
  removeStale()
  // For npx in a checkout: npm makes it executable where it installs it, once
  if (existsSync(cli)) chmodSync(cli, 0o755)
  mkdirSync(join(root, 'lib'), { recursive: true })
  writeFileSync(stampFile, built)
}

function hasPage() {
  return !wantsPage || isBundled(root)
}

async function buildPage() {
  console.error('Building public/client.js from public/page/ …')
  await bundle(root)
}

/** Removes what was built from sources that are gone. */
function removeStale() {
  const current = new Set(sources().map(outputStem))
  for (const file of filesIn('lib')) {
    const [, stem] = /^(.+?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(file) ?? []
    if (stem && !current.has(stem)) rmSync(file)
  }
}

function sources() {
  return filesIn('src').filter((file) => file.endsWith('.ts'))
}

/** src/a/b.ts is built to lib/a/b.js, lib/a/b.d.ts and so on: this is lib/a/b */
function outputStem(source) {
  return join(root, 'lib', relative(join(root, 'src'), source).replace(/\.ts$/, ''))
}

function filesIn(folder) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/** Runs a command to its end; its output is shown, beside that of what is prepared for. */
function run(command, args) {
  const shell = process.platform === 'win32' && command === 'npm' // a .cmd file there
  running = spawn(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell })
  return new Promise((done, failed) => {
    running.once('error', failed)
    running.once('exit', (code, signal) => {
      if (code === 0) done()
      else
        failed(new Error(`This failed with ${signal ?? `exit code ${code}`}: ${command} ${args.join(' ')}`))
    })
  })
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    running?.kill(signal)
    process.exit(1)
  })
}

prepare().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
