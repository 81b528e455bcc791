import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface Summary {
  branches: { pct: number; total: number; covered: number }
}

/**
 * Prints a table of what the tests covered of src/, by the V8 profiles in a folder.
 *
 * @returns a sentence for each file of src/refresh-token/ of which they did not take every branch
 */
export async function reportCoverage(root: string, profiles: string, reports: string): Promise<string[]> {
  if (readdirSync(profiles).length === 0) return []
  const excluded = builtFiles(root).filter((file) => isTypeOnly(join(root, 'lib', file)))
  await c8(root, [
    'report',
    ...['--temp-directory', profiles, '--reports-dir', reports],
    ...['--reporter', 'text', '--reporter', 'json-summary'],
    ...['--all', '--src', 'lib', '--include', 'lib/**/*.js'],
    ...excluded.flatMap((file) => ['--exclude', join('lib', file)])
  ])
  const summary = JSON.parse(readFileSync(join(reports, 'coverage-summary.json'), 'utf8')) as Record<
    string,
    Summary
  >
  return builtFiles(root)
    .filter((file) => file.startsWith(join('refresh-token', '/')) && !excluded.includes(file))
    .map((file) => join('src', file.replace(/\.js$/, '.ts')))
    .map((file) => ({ file, branches: summary[join(root, file)]?.branches }))
    .filter(({ branches }) => !branches || branches.covered < branches.total)
    .map(
      ({ file, branches }) =>
        `${file} takes ${branches?.covered ?? 0} of ${branches?.total ?? 'all'} branches`
    )
}

const builtFiles = (root: string): string[] =>
  readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'))

/** Whether nothing is left of a file after compilation: never loaded, it would count as not covered. */
function isTypeOnly(file: string): boolean {
  const code = readFileSync(file, 'utf8')
  return code.replace(/\/\/.*|\/\*[^]*?\*\//g, '').trim() === 'export {};'
}

async function c8(root: string, args: string[]): Promise<void> {
  const script = join(root, 'node_modules/c8/bin/c8.js')
  const child = spawn(process.execPath, [script, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit']
  })
  const code = await new Promise<number | null>((done) => child.once('close', done))
  if (code !== 0) throw new Error(`c8 ended with ${code}`)
}
