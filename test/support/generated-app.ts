import { execFile, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { MongoClient, type Db } from 'mongodb'
import { databaseUrl } from './app.js'
import { noteLog } from './log.js'
import { freePort } from './process.js'
import { restClient, type RestClient } from './rest.js'
import { poll } from './socket.js'

const root = resolve(import.meta.dirname, '../..')
const run = promisify(execFile)

/** The package as `npm pack` makes it, unpacked. */
export interface Package {
  folder: string
  /** What is in it. */
  files: { path: string; size: number }[]
  /** Bytes. */
  packedSize: number
  unpackedSize: number
  remove(): Promise<void>
}

export async function makePackage(): Promise<Package> {
  const temporary = await mkdtemp(join(tmpdir(), 'moult-package-'))
  const { stdout } = await run(
    'npm',
    ['pack', '--json', '--loglevel=error', '--pack-destination', temporary],
    {
      cwd: root
    }
  )
  // What `prepack` says comes first
  const [{ filename, files, size, unpackedSize }] = JSON.parse(stdout.slice(stdout.search(/^\[/m)))

  await run('tar', ['xzf', filename], { cwd: temporary })

  return {
    folder: join(temporary, 'package'),
    files,
    packedSize: size,
    unpackedSize,
    remove: () => rm(temporary, { recursive: true })
  }
}

/** An app of the Feathers generator, in a folder of its own. */
export interface GeneratedApp {
  folder: string
  read(file: string): Promise<string>
  write(file: string, text: string): Promise<void>
  /** Changes a file. */
  edit(file: string, change: (text: string) => string): Promise<void>
  remove(): Promise<void>
}

/** Copies an app of test/fixtures; its packages are ours, and the one that we made. */
export async function copyGenerated(name: string, { folder: made }: Package): Promise<GeneratedApp> {
  const folder = await mkdtemp(join(tmpdir(), `moult-${name}-`))
  const modules = join(folder, 'node_modules')

  await cp(join(root, 'test/fixtures', name), folder, { recursive: true })
  await mkdir(modules)

  for (const entry of await readdir(join(root, 'node_modules'))) {
    await symlink(join(root, 'node_modules', entry), join(modules, entry))
  }

  await cp(made, join(modules, 'moult'), { recursive: true })

  const app: GeneratedApp = {
    folder,
    read: (file) => readFile(join(folder, file), 'utf8'),
    write: (file, text) => writeFile(join(folder, file), text),
    async edit(file, change) {
      const text = await app.read(file)
      const changed = change(text)

      if (changed === text) {
        throw new Error(`Nothing of ${file} was changed`)
      }

      await app.write(file, changed)
    },
    remove: () => rm(folder, { recursive: true })
  }

  return app
}

const placeholder = 'write 32 random bytes or more here'

/**
 * Applies a diff as docs/ show it: `--- file`, and hunks that `@@` parts, with a secret in place of the placeholder.
 * Answers how many lines it adds.
 */
export async function applyDiff(app: GeneratedApp, shown: string): Promise<number> {
  const diff = shown.replaceAll(placeholder, () => randomBytes(32).toString('base64url'))

  for (const part of diff.split(/^--- /m).slice(1)) {
    const [file, ...lines] = part.trimEnd().split('\n')

    for (const hunk of lines.join('\n').split(/^@@\n/m)) {
      await app.edit(file!, (text) => replaceHunk(text, hunk.trimEnd().split('\n'), file!))
    }
  }

  return diff.split('\n').filter((line) => line.startsWith('+')).length
}

function replaceHunk(text: string, hunk: string[], file: string): string {
  const side = (sign: string) =>
    hunk
      .filter((line) => line.startsWith(sign) || line.startsWith(' ') || line === '')
      .map((line) => line.slice(1))
      .join('\n')

  if (text.split(side('-')).length !== 2) {
    throw new Error(`This does not stand in ${file} once:\n${side('-')}`)
  }

  return text.replace(side('-'), () => side('+'))
}

/** Compiles it with its own tsconfig.json; rejects with what tsc says. */
export async function compile({ folder }: GeneratedApp): Promise<void> {
  await run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], {
    cwd: folder
  }).catch(({ stdout }) => {
    throw new Error(stdout)
  })
}

export interface RunningApp {
  address: string
  client: RestClient
  stop(): Promise<void>
}

/** Starts it as its package.json says, on a database. */
export async function startGenerated(
  { folder }: GeneratedApp,
  main: string,
  mongodb: string,
  settings: object = {},
  port?: number
): Promise<RunningApp> {
  port ??= await freePort()
  const child = spawn(process.execPath, [main], {
    cwd: folder,
    env: { ...process.env, NODE_ENV: undefined, NODE_CONFIG: JSON.stringify({ ...settings, port, mongodb }) },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 120_000
  })
  const exited = once(child, 'close')
  let output = ''

  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      noteLog(`${child.pid}.generated.output`, text)
    })
  }

  await poll(
    () => {
      if (child.exitCode !== null) {
        throw new Error(output)
      }

      return output.includes('Feathers app listening')
    },
    `the start of ${folder}`,
    30_000
  )

  const address = `http://localhost:${port}`

  return {
    address,
    client: restClient(address),
    async stop() {
      child.kill()
      await exited
    }
  }
}

/** `npx moult …` in its folder, on a database: the exit code, and what it said. */
export async function moultIn(
  { folder }: GeneratedApp,
  mongodb: string,
  args: string[],
  settings: object = {}
): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, NODE_ENV: undefined, NODE_CONFIG: JSON.stringify({ ...settings, mongodb }) }
  const ended = run(process.execPath, ['node_modules/moult/lib/cli.js', ...args], { cwd: folder, env })
  const { code = 0, stdout, stderr } = await ended.catch((error) => error)

  return { code, stdout: stdout.trimEnd(), stderr: stderr.trimEnd() }
}

/** A database of its own; `close` drops it. */
export function ownDatabase(): { url: string; db: Db; close(): Promise<void> } {
  const url = databaseUrl(`moult-${randomUUID()}`)
  const client = new MongoClient(url)

  return {
    url,
    db: client.db(),
    async close() {
      await client.db().dropDatabase()
      await client.close()
    }
  }
}
