import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { snippet } from '../support/documents.js'
import { makePlace, type Place } from '../support/service.js'

const name = '@opentelemetry/auto-instrumentations-node'
const version = '0.81.2'
const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache')
const folder = join(cache, 'moult', `opentelemetry-${version}`)
const done = join(folder, 'installed')

/** Installs it where it is kept for all checkouts: 116 MB, so in CI only, or where it has been done. */
async function install(): Promise<boolean> {
  if (!existsSync(done) && process.env.CI) {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'package.json'), '{}')
    await promisify(execFile)('npm', ['install', '--ignore-scripts', '--no-audit', `${name}@${version}`], {
      cwd: folder
    })
    await writeFile(done, '') // last: half an installation is none
  }

  return existsSync(done)
}

describe('OpenTelemetry, as docs/operations.md adds it', () => {
  const shown = snippet('docs/operations.md', 'OTEL_SERVICE_NAME')
  let place: Place

  before(async () => {
    place = await makePlace()
  })
  after(() => place.remove())

  it('is installed by its name', () => {
    assert.ok(shown.startsWith(`npm install ${name}\n`))
  })

  it('traces a request from HTTP to MongoDB, without a secret', async (test) => {
    if (!(await install())) {
      test.skip('its packages are downloaded with CI set only')
      return
    }

    const [, instrumentations] = /OTEL_NODE_ENABLED_INSTRUMENTATIONS=(\S+)/.exec(shown)!
    const [, imported] = /NODE_OPTIONS='--import (\S+)'/.exec(shown)!
    const register = pathToFileURL(createRequire(join(folder, 'package.json')).resolve(imported!))
    const { client, kill, outcome } = await place.start({
      NODE_OPTIONS: `--import ${register}`,
      OTEL_TRACES_EXPORTER: 'console',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_NODE_RESOURCE_DETECTORS: 'none',
      OTEL_NODE_ENABLED_INSTRUMENTATIONS: instrumentations
    })
    const { refreshToken } = await client.newLogin()

    await client.refresh(refreshToken)
    kill('SIGTERM')

    const { stdout } = await outcome
    const traceOf = (span: string) =>
      [...stdout.matchAll(/traceId: '(\w+)'[^]*?\n {2}name: '([^']+)'/g)]
        .filter(([, , spanName]) => spanName === span)
        .map(([, trace]) => trace)
    const requests = traceOf('POST')

    assert.equal(requests.length, 3)
    assert.ok(traceOf('findAndModify $cmd').some((trace) => requests.includes(trace)))
    assert.doesNotMatch(stdout, /eyJ|horse|argon2/)
  })
})
