import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Collection } from 'mongodb'
import { AuthenticationService } from '../refresh-token/index.js'
import { CommandError } from './answer.js'
import { existingManifest } from './manifest.js'

const usual = ['lib/app.js', 'src/app.js'] // as generated: compiled TypeScript, and JavaScript

/** An app that has installed this package. */
export interface ExistingApp {
  /** The module that exports it. */
  file: string
  service: AuthenticationService
}

/**
 * Loads the app in the current folder, without starting it, and works with it.
 *
 * @throws CommandError if there is none; ConfigurationError, as starting it would
 */
export async function withExistingApp<T>(work: (app: ExistingApp) => Promise<T>): Promise<T> {
  // It may connect while it is loaded. If that fails, the first use of the connection reports it
  process.on('unhandledRejection', () => {})

  return withoutItsLog(async () => {
    const app = await load()

    try {
      return await work(app)
    } finally {
      // Waits until the reasons of ended sessions are stored for other processes
      await app.service.teardown()
    }
  })
}

/** Sends the app's output to standard error, apart from the answer of the command. */
async function withoutItsLog<T>(work: () => Promise<T>): Promise<T> {
  const { stdout, stderr } = process
  const write = stdout.write.bind(stdout)

  stdout.write = stderr.write.bind(stderr)

  try {
    return await work()
  } finally {
    stdout.write = write
  }
}

/** The collection of the app's users. */
export const usersOf = (service: AuthenticationService): Promise<Collection> => service.users()

async function load(): Promise<ExistingApp> {
  const file = moduleFile()
  const module = (await import(pathToFileURL(resolve(file)).href)) as Exports & { default?: Exports }
  const app = module.app ?? module.default?.app
  const service = app?.defaultAuthentication?.()

  if (!(service instanceof AuthenticationService)) {
    throw new CommandError(
      `${file} exports no \`app\` with the AuthenticationService of moult: make the change of docs/existing-app.md`
    )
  }

  return { file, service }
}

interface Exports {
  app?: { defaultAuthentication?: () => unknown }
}

function moduleFile(): string {
  const named = existingManifest()?.moult?.app
  const file = (named ? [named] : usual).find((path) => existsSync(path))

  if (!file) {
    throw new CommandError(
      `There is no ${named ?? usual.join(', nor ')}: compile the app, or name the module that exports \`app\` ` +
        'in its package.json, such as "moult": { "app": "dist/app.js" }'
    )
  }

  return file
}
