import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { MongoDBService } from '@feathersjs/mongodb'
import type { Collection } from 'mongodb'
import { AuthenticationService } from '../refresh-token/index.js'
import { CommandError } from './answer.js'
import { existingManifest } from './manifest.js'

const usual = ['lib/app.js', 'src/app.js'] // of the generator: TypeScript, compiled, and JavaScript

/** An app that has installed this package. */
export interface ExistingApp {
  /** Its module. */
  file: string
  service: AuthenticationService
}

/**
 * Works with the app in whose folder the command is called: all but its start.
 *
 * @throws CommandError where there is none; ConfigurationError, as its start would
 */
export async function withExistingApp<T>(work: (app: ExistingApp) => Promise<T>): Promise<T> {
  // It may connect as soon as it is loaded. Whether that failed is told by whoever asks it for something
  process.on('unhandledRejection', () => {})

  return withoutItsLog(async () => {
    const app = await load()

    try {
      return await work(app)
    } finally {
      // Why sessions ended is noted for the other processes
      await app.service.teardown()
    }
  })
}

/** What the app prints is no answer of the command: it goes to standard error. */
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

/** The collection of its users. */
export function usersOf({ app, configuration }: AuthenticationService): Promise<Collection> {
  return (app.service(configuration.service!) as unknown as MongoDBService).getModel()
}

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
