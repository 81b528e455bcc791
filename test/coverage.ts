import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

interface Summary {
  branches: { pct: number; total: number; covered: number }
}

/**
 * Prints a table of what the tests covered of src/, by the V8 profiles in `<folder>/coverage`.
 *
 * @returns a sentence for each file of src/refresh-token/ of which they did not take every branch
 */
export async function reportCoverage(root: string, folder: string): Promise<string[]> {
  const reports = join(folder, 'report')
  const profiles = join(folder, 'coverage')
  if (!existsSync(profiles)) return []
  const excluded = typeOnlyFiles(root).flatMap((file) => ['--exclude', file])
  await c8(root, [
    'report',
    ...['--temp-directory', profiles, '--reports-dir', reports],
    ...['--reporter', 'text', '--reporter', 'json-summary'],
    ...['--all', '--src', 'src', '--include', 'src/**/*.ts', ...excluded]
  ])
  const summary = JSON.parse(readFileSync(join(reports, 'coverage-summary.json'), 'utf8')) as Record<
    string,
    Summary
  >
  return Object.entries(summary)
    .map(([file, { branches }]) => ({ file: relative(root, file), branches }))
    .filter(
      ({ file, branches }) =>
        file.startsWith(join('src', 'refresh-token')) && branches.covered < branches.total
    )
    .map(({ file, branches }) => `${file} takes ${branches.covered} of ${branches.total} branches`)
}

/** Sources of which nothing is left after compilation: never loaded, they would count as not covered. */
function typeOnlyFiles(root: string): string[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .filter((file) => {
      const built = join(root, 'lib', file.replace(/\.ts$/, '.js'))
      const code = existsSync(built) ? readFileSync(built, 'utf8') : 'not built'
      return code.replace(/\/\/.*|\/\*[^]*?\*\//g, '').trim() === 'export {};'
    })
    .map((file) => join('src', file))
}

async function c8(root: string, args: string[]): Promise<void> {
  const script = join(root, 'node_modules/c8/bin/c8.js')
  const { NODE_V8_COVERAGE: _, ...env } = process.env
  const child = spawn(process.execPath, [script, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'inherit', 'inherit']
  })
  const code = await new Promise<number | null>((done) => child.once('close', done))
  if (code !== 0) throw new Error(`c8 ended with ${code}`)
}
