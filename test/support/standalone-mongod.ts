import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findMongod } from '../../src/dev/mongod/binary.js'
import { freePort, launchMongod } from '../../src/dev/mongod/process.js'

/** A mongod that is no replica set, and so has no change streams. */
export async function startStandaloneMongod(port?: number): Promise<{ url: string; stop(): Promise<void> }> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'moult-standalone-')))
  const dbPath = join(folder, 'mongodb')
  const { path: binary } = await findMongod(() => undefined)

  await mkdir(dbPath)

  const mongod = await launchMongod({
    binary,
    dbPath,
    port: port ?? (await freePort()),
    logFile: join(folder, 'mongod.log'),
    replicaSet: false
  })

  return {
    url: `mongodb://127.0.0.1:${mongod.port}/`,
    async stop() {
      await mongod.stop()
      await rm(folder, { recursive: true })
    }
  }
}
