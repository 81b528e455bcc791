import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMongod } from '../../src/dev/mongod.js'

// Runs all test/bench/*.bench.ts one after another, or those that are named, with the options given (--quick), on MONGODB_URL or a MongoDB of their own.

const folder = import.meta.dirname
const words = process.argv.slice(2)
const names = words.filter((word) => !word.startsWith('-'))
const options = words.filter((word) => word.startsWith('-'))
const files = (await readdir(folder)).filter(
  (file) =>
    file.endsWith('.bench.ts') && (names.length === 0 || names.includes(file.replace('.bench.ts', '')))
)
const { MONGODB_URL } = process.env
const data = await mkdtemp(join(tmpdir(), 'moult-bench-'))
const mongod = MONGODB_URL ? undefined : await startMongod({ folder: data, log: console.error })

try {
  for (const file of files) {
    const { status } = spawnSync(process.execPath, ['--import', 'tsx', join(folder, file), ...options], {
      stdio: 'inherit',
      env: { ...process.env, NODE_ENV: 'test', MONGODB_URL: MONGODB_URL ?? mongod!.url }
    })

    process.exitCode ||= status ?? 1
  }
} finally {
  await mongod?.stop()
  await rm(data, { recursive: true })
}
