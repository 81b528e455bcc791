import { createRemoteJWKSet, jwtVerify } from 'jose'
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { makeKeyFile } from '../../src/keys/rotation.js'
import { algorithms } from '../../src/refresh-token/keys/signing-key.js'
import { merge, withApp } from '../support/app.js'
import { readPage, runCode, runShell, snippet } from '../support/documents.js'
import { newPem } from '../support/keys.js'
import { newPerson } from '../support/people.js'
import { settingsWith } from '../support/settings.js'

/** Replaces what differs between days and keys. */
const normal = (shown: string): string =>
  shown
    .trim()
    .replaceAll(/\b20\d\d-\d\d-\d\d \d\d:\d\d\b/g, 'TIME')
    .replaceAll(/^(access|refresh|factor) +[\w-]{16}/gm, '$1  KEY')
    .replace(/^Keys from \S+;/, 'Keys from FILE;')
    .replaceAll(/ {2,}/g, '  ')

describe('docs/keys.md', () => {
  it('shows how to rotate keys in a file, the file afterwards, and the output of `keys show`', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moult-keys-'))
    const file = join(folder, 'keys.json')
    const env = { NODE_ENV: 'development', KEYS_FILE: file }
    const rotate = snippet('docs/keys.md', 'KEYS_FILE=').replace('/etc/moult/keys.json', file)
    const [command, ...shown] = snippet('docs/keys.md', '$ npm run moult -- keys show').split('\n')

    try {
      makeKeyFile(file, 'HS256') // as the first rotation does
      assert.match(await runShell(rotate, { env }), /^New key for refresh tokens: /m)

      const content = JSON.parse(await readFile(file, 'utf8'))
      const shownContent = JSON.parse(snippet('docs/keys.md', '"signsFrom"'))

      assert.deepEqual(Object.keys(content), Object.keys(shownContent))
      assert.equal(shownContent.accessToken.split(',').length, content.accessToken.split(',').length)
      assert.match(Object.keys(content.signsFrom)[0]!, /^[\w-]{16}$/)
      assert.ok(
        Object.entries(content.signsFrom).every(([, time]) => new Date(time as string).toISOString() === time)
      )

      const said = await runShell(command!.replace('$ npm run', 'npm run --silent'), { env })

      assert.equal(normal(said), normal(shown.join('\n')))
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('shows how others verify access tokens with a public key', () => {
    const shown = JSON.parse(snippet('docs/keys.md', '"algorithm": "ES256"'))
    const settings = merge(shown, { authentication: { secret: newPem('ES256').privatePem } })

    return withApp({ settings }, async (t) => {
      const { id, accessToken } = await newPerson(t)
      const verify = snippet('docs/keys.md', 'createRemoteJWKSet').replace(
        'https://auth.example.com',
        t.address
      )
      const { sub } = await runCode(verify, { createRemoteJWKSet, jwtVerify, accessToken }, 'payload')

      assert.equal(sub, id)
    })
  })

  const rows = [
    ...readPage('docs/keys.md').matchAll(/^\| `(\w+)` +\| [^|]+ \| (?:`(openssl [^`]+)`|the same) +\|$/gm)
  ]

  for (const [index, [, algorithm, command = rows[index - 1]![2]]] of rows.entries()) {
    it(`shows how to generate a key for ${algorithm}`, async () => {
      const secret = await runShell(command!)

      assert.equal(settingsWith({ secret, jwtOptions: { algorithm } }).accessTokens.algorithm, algorithm)
    })
  }

  it('does so for each algorithm with a public key', () => {
    assert.deepEqual(
      rows.map(([, algorithm]) => algorithm),
      algorithms.filter((name) => !name.startsWith('HS'))
    )
  })
})
