import { randomUUID } from 'node:crypto'
import { MongoClient, type Db } from 'mongodb'
import { createApp, type AppOptions } from '../../src/app.js'
import { checkedConfiguration, readConfiguration } from '../../src/configuration.js'
import type { Application } from '../../src/declarations.js'
import { startServer } from '../../src/server/start.js'
import { testLogger } from './log.js'

export type Settings = Record<string, unknown>

export interface TestApp {
  app: Application
  /** http://localhost:12345 */
  address: string
  /** Of its database. */
  url: string
  /** The database of this app alone. */
  db: Db
  /** The app's clock: moved by hand. */
  clock: { now: number; advance(ms: number): void }
  stop(): Promise<void>
}

export interface TestOptions {
  /** Settings other than those of config/; objects are merged. */
  settings?: Settings
  /** Another app's database, to be a second process on it. */
  database?: string
  /** Called before the app starts. */
  configure?: (app: Application) => void
  /** Delivers mails, in place of SMTP. */
  deliver?: AppOptions['deliver']
}

/** The settings of passwords in config/, for tests of what a hash costs. */
export const costlyHashes = readConfiguration().passwords as Settings

const cheapHashes = { memoryCost: 7168, timeCost: 1 } // the least there may be: a fifth of the work of config/

/** Starts the whole service on a free port, on a database of its own in the MongoDB that the tests run on. */
export async function startApp({
  settings = {},
  database,
  configure,
  deliver
}: TestOptions = {}): Promise<TestApp> {
  const url = databaseUrl(database ?? `moult-${randomUUID()}`)
  const clock = {
    now: Date.now(),
    advance(ms: number) {
      clock.now += ms
    }
  }
  const passwords = { ...costlyHashes, ...cheapHashes }
  const base = { ...readConfiguration(), port: 0, mongodb: url, passwords }
  const app = createApp(checkedConfiguration(merge(base, settings)), {
    now: () => clock.now,
    logger: testLogger(),
    ...(deliver && { deliver })
  })

  configure?.(app)

  const server = await startServer(app)
  const client = new MongoClient(url)

  return {
    app,
    address: server.address,
    url,
    db: client.db(),
    clock,
    async stop() {
      await server.stop()
      await (database ? undefined : client.db().dropDatabase())
      await client.close()
    }
  }
}

/** The MongoDB that the test runner started, with another database. */
export function databaseUrl(name: string): string {
  const url = new URL(process.env.MONGODB_URL!)

  url.pathname = `/${name}`
  return url.href
}

/** Merges settings as node-config does: objects key by key, all else as a whole. */
export function merge(base: Settings, changes: Settings): Settings {
  const merged = Object.entries(changes).map(([key, value]) => {
    const old = base[key]

    return [key, isObject(old) && isObject(value) ? merge(old, value) : value]
  })

  return { ...base, ...Object.fromEntries(merged) }
}

const isObject = (value: unknown): value is Settings =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Starts an app for a moment: another process on a database, or one of other settings. */
export async function withApp<T>(options: TestOptions, work: (t: TestApp) => Promise<T>): Promise<T> {
  const t = await startApp(options)

  try {
    return await work(t)
  } finally {
    await t.stop()
  }
}
