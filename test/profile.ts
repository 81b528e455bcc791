// Notes what a process of the tests executes of lib/, for the report of coverage. NODE_V8_COVERAGE notes all packages,
// too, and counts each execution, which slows the tests down and makes a gigabyte of the notes.
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'

const { MOULT_TEST_BUILD: built, MOULT_TEST_PROFILES: folder } = process.env
const lib = resolve(import.meta.dirname, '../lib')
const script = process.argv[1] ?? ''

if (built && folder && isMainThread && [built, lib].some((place) => script.startsWith(place))) {
  const session = new Session()

  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.startPreciseCoverage', { callCount: false, detailed: true })

  process.on('exit', () => {
    session.post('Profiler.takePreciseCoverage', (_error, { result }) => {
      const ours = result.filter(({ url }) => url.startsWith(pathToFileURL(lib).href))

      writeFileSync(join(folder, `coverage-${process.pid}.json`), JSON.stringify({ result: ours }))
    })
  })
}
