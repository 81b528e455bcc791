import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const requirements = resolve(import.meta.dirname, '../openapi/requirements.txt')
const execute = promisify(execFile)

export interface PythonTools {
  /** Runs one of the tools to its end; never fails. */
  run(
    name: string,
    args: string[],
    options?: { cwd?: string; env?: Record<string, string> }
  ): Promise<{ code: number | null; output: string }>
}

/**
 * The tools of test/openapi/requirements.txt, installed on first use and kept for all checkouts. Undefined where
 * Python can't, except in CI.
 *
 * @throws in CI (`CI` is set) when they can't be installed
 */
export async function pythonTools(): Promise<PythonTools | undefined> {
  try {
    const folder = await installed()

    return { run: (name, args, options) => run(join(folder, 'bin', name), args, options) }
  } catch (error) {
    if (process.env.CI) {
      throw error
    }

    return undefined
  }
}

async function installed(): Promise<string> {
  const pins = await readFile(requirements)
  const version = createHash('sha256').update(pins).digest('hex').slice(0, 12)
  const folder = join(
    process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
    'moult',
    `python-tools-${version}`
  )
  const done = join(folder, 'installed')

  if (!existsSync(done)) {
    await rm(folder, { recursive: true, force: true })
    await execute('python3', ['-m', 'venv', folder])
    await execute(join(folder, 'bin', 'pip'), [
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--requirement',
      requirements
    ])
    await writeFile(done, '') // last: half an installation is none
  }

  return folder
}

async function run(
  program: string,
  args: string[],
  { cwd, env }: { cwd?: string; env?: Record<string, string> } = {}
): Promise<{ code: number | null; output: string }> {
  const child = spawn(program, args, {
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 240_000 // ms
  })
  let output = ''

  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  }

  const [code] = (await once(child, 'close')) as [number | null]

  return { code, output }
}
