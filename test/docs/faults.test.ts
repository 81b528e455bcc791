import assert from 'node:assert/strict'
import { MongoClient } from 'mongodb'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { startMongod } from '../../src/dev/mongod.js'
import { clientOptions } from '../../src/database/database.js'
import { readPage, runCode, snippet } from '../support/documents.js'

interface ReplicaSetConfiguration {
  version: number
  settings: { electionTimeoutMillis: number }
}

describe('docs/faults.md', () => {
  it('shows how to make elections start sooner', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moult-faults-docs-'))
    const mongod = await startMongod({ folder, log: () => undefined })
    const client = new MongoClient(mongod.url)
    const read = async (): Promise<ReplicaSetConfiguration> =>
      (await client.db('admin').command({ replSetGetConfig: 1 })).config

    try {
      const before = await read()
      // As in mongosh, where calls need no `await`
      const rs = {
        conf: () => before,
        reconfig: (config: ReplicaSetConfiguration) =>
          client.db('admin').command({ replSetReconfig: { ...config, version: config.version + 1 } })
      }

      assert.equal(before.settings.electionTimeoutMillis, 10_000)
      await runCode(
        snippet('docs/faults.md', 'electionTimeoutMillis = ').replace('rs.reconfig', 'await rs.reconfig'),
        { rs, cfg: undefined }
      )
      assert.equal((await read()).settings.electionTimeoutMillis, 3000)
    } finally {
      await client.close()
      await mongod.stop()
      await rm(folder, { recursive: true })
    }
  })

  it('states the bounds that the code has', () => {
    const text = readPage('docs/faults.md')
    const rows = [...text.matchAll(/^\| `(\w+(?:MS))` +\| (\d+) s/gm)].map(([, name, seconds]) => [
      name,
      Number(seconds) * 1000
    ])

    assert.deepEqual(
      Object.fromEntries(rows),
      Object.fromEntries(Object.entries(clientOptions).filter(([name]) => name.endsWith('MS')))
    )
  })
})
