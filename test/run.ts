// The test command: `npm test`, or `npm test -- sessions` for the files, or else the tests, of that name.
// Runs them on MONGODB_URL, or without one on a mongod of its own, and prints how much of src/ they cover.
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { startMongod } from '../src/dev/mongod.js'
import { build, builtOf } from './build.js'
import { bundle } from './bundles.js'
import { reportCoverage } from './coverage.js'
import { childrenOf, endAll, interruptionOf } from './interruption.js'
import { secretsLogged } from './support/log.js'

const root = resolve(import.meta.dirname, '..')
const timeout = 1_800_000 // ms for one process: the longest takes two minutes, on a machine that has time for it
// Much of it is waiting, for a MongoDB that is away, say: more files run at once than there are cores
const long = [
  'openapi/schemathesis',
  'dev/mongod',
  'client/tabs',
  'client/lost-answers',
  'faults/',
  'keys/load',
  'workers',
  'start',
  'stop'
]
const timed = [
  'password-load',
  'timing',
  'floods/connections',
  'floods/memory',
  'floods/sign-in',
  'floods/turns',
  'hostile/held-loop'
]
const unmatched = 'test name does not match pattern' // the runner's reason for skipping what was not asked for

interface Selection {
  files: string[]
  names: RegExp[]
}

interface Counts {
  passed: number
  failed: number
  skipped: number
}

const interruption = interruptionOf(process)
const temporary = await mkdtemp(join(tmpdir(), 'moult-test-'))
const inTemporary = async (name: string) => (await mkdir(join(temporary, name)), join(temporary, name))
const counts: Counts = { passed: 0, failed: 0, skipped: 0 }
try {
  await test(select(process.argv.slice(2)))
} catch (error) {
  console.error(error)
  counts.failed++
} finally {
  await rm(temporary, { recursive: true, force: true, maxRetries: 5 }) // what was killed may write to the last
}
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : ''
console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`)
process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0)

async function test(selection: Selection): Promise<void> {
  await build(root, temporary)

  const mongod = process.env.MONGODB_URL
    ? undefined
    : await startMongod({ folder: temporary, log: console.log })
  const logs = await inTemporary('logs')
  const profiles = await inTemporary('profiles')
  Object.assign(process.env, {
    MONGODB_URL: process.env.MONGODB_URL || mongod?.url,
    NODE_ENV: 'test',
    NODE_OPTIONS: `--import ${join(temporary, 'test/profile.js')}`,
    MOULT_TEST_BUILD: temporary,
    MOULT_TEST_LOGS: logs,
    MOULT_TEST_PROFILES: profiles,
    TMPDIR: await inTemporary('tmp') // what a test leaves there goes with the rest
  })
  process.execArgv = ['--enable-source-maps'] // of the processes of the tests: what they run is compiled
  const others = childrenOf(process.pid)
  const endTests = () => endAll(childrenOf(process.pid).filter((id) => !others.includes(id)))
  interruption.addEventListener('abort', endTests)
  try {
    await runFiles(selection)
  } finally {
    interruption.removeEventListener('abort', endTests)
    await mongod?.stop()
  }
  if (interruption.aborted) throw new Error('Interrupted.')
  await requireNoSecrets(logs)
  const isFullRun = process.argv.length === 2
  const gaps = await reportCoverage(root, profiles, await inTemporary('report'))
  if (!isFullRun || gaps.length === 0) return
  console.error(`Branches of the heart that no test takes:\n  ${gaps.join('\n  ')}`)
  counts.failed++
}

/** Fails the run if a service logged a secret. */
async function requireNoSecrets(logs: string): Promise<void> {
  const found = await secretsLogged(logs)
  if (found.length === 0) return
  const beginnings = found.map((secret) => secret.slice(0, 12))

  console.error(`The log holds ${found.length} secrets: ${beginnings.join('… ')}…`)
  counts.failed++
}

/** Words that match no path are names of tests. */
function select(words: string[]): Selection {
  const all = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .map((path) => join('test', path))
    .filter((path) => path.endsWith('.test.ts'))
    .sort()
  const matching = (word: string) =>
    all.filter((path) => path.includes(word) || resolve(path) === resolve(word))
  const files = [...new Set(words.flatMap(matching))]
  const names = words.filter((word) => matching(word).length === 0).map((word) => new RegExp(word))
  return { files: (files.length > 0 ? files : all).map((path) => builtOf(join(temporary, path))), names }
}

/** Those that take longest begin first; those that measure time come last, alone. */
async function runFiles({ files, names }: Selection): Promise<void> {
  const among = (parts: string[]) => [
    ...new Set(parts.flatMap((part) => files.filter((file) => file.includes(part))))
  ]
  const longest = among(long)
  const alone = among(timed)
  const others = files.filter((file) => !longest.includes(file) && !alone.includes(file))
  const bundles = await bundle(others, { root: join(temporary, 'test'), folder: temporary })

  await runAtOnce({ files: [...longest, ...bundles], names }, availableParallelism() + 2)
  await runAtOnce({ files: alone, names }, 1)
}

/** Each runs in a process of its own, and prints as it ends. */
async function runAtOnce({ files, names }: Selection, concurrency: number): Promise<void> {
  if (files.length === 0) return
  const results = run({
    files,
    timeout,
    concurrency,
    signal: interruption,
    ...(names.length > 0 && { testNamePatterns: names })
  })
  results.on('test:pass', (event) => {
    if (event.details.type === 'suite' || event.skip === unmatched) return
    counts[event.skip !== undefined || event.todo !== undefined ? 'skipped' : 'passed']++
  })
  results.on('test:fail', (event) => {
    // a suite or a file fails with its tests, which are counted, or by itself, in a hook or at its imports
    if (event.todo === undefined && failureType(event.details.error) !== 'subtestsFailed') counts.failed++
  })
  const output = results.compose(new spec())
  const discard = () => output.unpipe().resume() // it ends when it is read only
  output.pipe(process.stdout, { end: false })
  process.stdout.once('error', discard)
  await once(output, 'end')
  process.stdout.off('error', discard)
}

function failureType(error: Error): unknown {
  return 'failureType' in error ? error.failureType : undefined
}
