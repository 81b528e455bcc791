import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { checkIndexes, neededIndexes } from '../../src/cli/check/indexes.js'
import { startApp, type TestApp } from '../support/app.js'
import { commandsIn, runShell, snippet } from '../support/documents.js'
import { newPerson } from '../support/people.js'
import { restClient } from '../support/rest.js'
import { goodSecrets } from '../support/service.js'
import { poll } from '../support/socket.js'

/** Replaces what differs between databases. */
const normal = (shown: string): string =>
  shown
    .trim()
    .replace(/keys from .*/, 'keys from SOMEWHERE')
    .replace(/\S+ at [\w.:, -]+/, 'DATABASE')
    .replace(/MongoDB \S+/, 'MongoDB VERSION')
    .replace(/\S+, (one node|\d nodes):/, 'NODES:')
    .replaceAll(/\d+ ms/g, 'SOME ms')
    .replaceAll(/ {2,}/g, '  ')

describe('docs/cli.md', { concurrency: 2 }, () => {
  let t: TestApp
  let folder: string

  before(async () => {
    t = await startApp()
    folder = await mkdtemp(join(tmpdir(), 'moult-cli-docs-'))
  })
  after(async () => {
    await t.stop()
    await rm(folder, { recursive: true })
  })

  const type = (command: string, env = {}) =>
    runShell(command, { env: { MONGODB_URL: t.url, NODE_ENV: 'test', ...env } })

  it('shows three ways to call it', async () => {
    const { email } = await newPerson(t)
    const commands = commandsIn(snippet('docs/cli.md', 'npx moult users list'))

    assert.equal(commands.length, 3)

    for (const command of commands) {
      assert.match(await type(command), new RegExp(`^${email} `, 'm'), command)
    }
  })

  it('shows how to create an account with a generated password', async () => {
    const file = join(folder, 'ada.txt')

    await type(snippet('docs/cli.md', 'openssl rand').replace('ada.txt', file))

    const password = (await readFile(file, 'utf8')).trim()
    const { body } = await restClient(t.address).signIn('ada@example.com', { password })

    assert.deepEqual(body.user.roles, ['admin'])
  })

  it('shows the output of `check`', async () => {
    const [command, ...shown] = snippet('docs/cli.md', '-- check').split('\n')

    const all = `${neededIndexes.length}, as they should be`

    // MongoDB creates a collection at the first write
    await (await newPerson(t)).ask('DELETE', '/sessions')
    await poll(async () => [await checkIndexes(t.db)].flat()[0]!.found === all, 'all indexes')

    const said = await type(command!.replace('$ npm run', 'npm run --silent'), {
      ...goodSecrets,
      NODE_ENV: 'production'
    })

    assert.equal(normal(said), normal(shown.join('\n')))
    assert.ok(shown.some((line) => line.startsWith('indexes ') && line.endsWith(` ${all}`)))
  })
})
