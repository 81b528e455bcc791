// Prepares a fresh clone: installs the locked dependencies, and builds lib/ and the page's script, each only when
// needed. Runs before `npm start`, `npm test` and the like; plain JavaScript, because nothing is installed yet.
//
//   node src/dev/prepare.mjs              what `npm start` needs; without the tools, if all is built already
//   node src/dev/prepare.mjs --dev        the tools for development too
//   node src/dev/prepare.mjs --page       the tools and the page's script, without lib/
//   node src/dev/prepare.mjs --no-build   only the tools
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { alone } from './alone.mjs'
import { bundle, isBundled } from './page-bundle.mjs'
import { readText } from './read-text.mjs'

const root = resolve(import.meta.dirname, '../..')
const stampFile = join(root, 'lib/.stamp')
const cli = join(root, 'lib/cli.js')
const wantsPage = !process.argv.includes('--no-build')
const wantsBuild = wantsPage && !process.argv.includes('--page')
const wantsTools = !wantsBuild || process.argv.includes('--dev')

let running // the child process, to pass signals to

async function prepare() {
  if (isInstalled() && isBuilt() && hasPage()) return
  await alone(join(root, '.prepare.lock'), async () => {
    // checked again: another process may have done it while this one waited
    if (!isInstalled()) await install()
    if (!isBuilt()) await build()
    if (!hasPage()) await buildPage()
  })
}

/**
 * Whether node_modules holds what package-lock.json lists, according to the list that npm keeps there. Packages for
 * other platforms may be missing; so may those for development, once lib/ is built.
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
  // Includes packages for development, such as tsc, even with NODE_ENV=production. No package needs its install scripts
  await run('npm', ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'])
}

/** Whether lib/ is up to date, judged by contents: a checkout or a copy changes file times. */
function isBuilt() {
  if (!wantsBuild) return true
  return readText(stampFile) === digest() && isComplete()
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
  const built = digest() // before tsc reads the sources, so that one that changes meanwhile is built next time
  rmSync(stampFile, { force: true })
  if (!isComplete()) rmSync(join(root, 'lib/.tsbuildinfo'), { force: true }) // tsc would take it to be complete
  await run(process.execPath, ['node_modules/typescript/bin/tsc'])
  removeStale()
  // For npx in a checkout: npm makes it executable only when it installs it
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

/** Removes output of sources that no longer exist. */
function removeStale() {
  const current = new Set(sources().map(outputStem))
  for (const file of filesIn('lib')) {
    const [, stem] = /^(.+?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(file) ?? []
    if (stem && !current.has(stem)) rmSync(file, { force: true })
  }
}

function sources() {
  return filesIn('src').filter((file) => file.endsWith('.ts'))
}

/** The path of the output of a source without extension: lib/a/b for src/a/b.ts. */
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

/** Runs a command to its end. Its output goes to standard error. */
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
