import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface FileCoverage {
  branchMap: Record<string, { line: number }>
  /** How often each branch was taken. */
  b: Record<string, number[]>
}

/**
 * Prints a table of what the tests covered of src/, by the V8 profiles in a folder.
 *
 * @returns the place of each branch in src/refresh-token/ that they did not take
 */
export async function reportCoverage(root: string, profiles: string, reports: string): Promise<string[]> {
  if (readdirSync(profiles).length === 0) return []
  const excluded = builtFiles(root).filter((file) => isTypeOnly(join(root, 'lib', file)))
  await c8(root, [
    'report',
    ...['--temp-directory', profiles, '--reports-dir', reports],
    ...['--reporter', 'text', '--reporter', 'json'],
    ...['--all', '--src', 'lib', '--include', 'lib/**/*.js'],
    ...excluded.flatMap((file) => ['--exclude', join('lib', file)])
  ])
  const coverage = JSON.parse(readFileSync(join(reports, 'coverage-final.json'), 'utf8')) as Record<
    string,
    FileCoverage
  >
  return builtFiles(root)
    .filter((file) => file.startsWith(join('refresh-token', '/')) && !excluded.includes(file))
    .map((file) => join('src', file.replace(/\.js$/, '.ts')))
    .flatMap((file) => gapsOf(file, coverage[join(root, file)]))
}

function gapsOf(file: string, coverage: FileCoverage | undefined): string[] {
  if (!coverage) return [`${file} is never loaded`]
  return Object.entries(coverage.branchMap)
    .filter(([id]) => coverage.b[id]!.includes(0))
    .map(([, { line }]) => `${file}:${line}`)
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
