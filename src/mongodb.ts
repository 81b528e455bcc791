import { setTimeout as setTimeoutAsync } from 'node:timers/promises'
import { MongoClient, type Collection, type Db, type Document } from 'mongodb'
import type { Application } from './declarations.js'
import { rateLimitsCollection } from './rate-limits/settings.js'
import type { Logger } from './logger.js'
import { ConfigurationError, isUnreachable, unavailable } from './refresh-token/errors.js'

// A call waits for a socket that is silent, and is then tried once more while a server is looked for: 9 s in all
export const clientOptions = {
  appName: 'moult',
  serverSelectionTimeoutMS: 4000,
  connectTimeoutMS: 4000,
  socketTimeoutMS: 5000,
  waitQueueTimeoutMS: 4000,
  readPreference: 'primary', // a secondary may not have heard yet that a session has ended
  heartbeatFrequencyMS: 2000, // how soon a database that is back is noticed
  writeConcern: { w: 'majority', journal: true } // what was answered survives the loss of a server
} as const
const pingTimeout = 2000 // ms

const retryDelay = 1000 // ms between attempts to prepare a database that was away at the start
export const leastVersion = 6 // the first whose updates can sort an array and that is still maintained

/** Emails are unique whatever their case: strength 2 tells accents apart, but not cases. */
export const caseInsensitive = { locale: 'en', strength: 2 }

/** An index that the service needs. */
export interface NeededIndex {
  collection: string
  key: Record<string, 1 | -1>
  unique?: true
  collation?: typeof caseInsensitive
  expireAfterSeconds?: number
  partialFilterExpression?: Document
}

/** Those that are made at each start, where they are not there yet. */
export const indexes: NeededIndex[] = [
  { collection: 'users', key: { email: 1 }, unique: true, collation: caseInsensitive },
  { collection: 'users', key: { 'identities.$**': 1 } }, // of OAuth: one for all providers
  // One count for one key, also when it is begun twice at once
  { collection: rateLimitsCollection, key: { key: 1 }, unique: true },
  { collection: rateLimitsCollection, key: { expire: 1 }, expireAfterSeconds: 0 }
]

/** The database: its client, and whether it has been prepared. */
export class Database {
  readonly #client: MongoClient
  readonly #db: Db
  readonly #log: Logger
  #prepared = false
  #closed = false
  readonly #lastWork: (() => Promise<void>)[] = []
  #retry: NodeJS.Timeout | undefined

  /** @throws ConfigurationError when the URL is none */
  constructor(url: string, log: Logger) {
    try {
      this.#client = new MongoClient(url, clientOptions)
    } catch (error) {
      // The driver's sentence names the mistake, but at times with all of the URL
      const mistake = (error as Error).message.replace(/\/\/[^\s"]*/g, '//…')

      throw new ConfigurationError(
        `mongodb is not a usable connection string (${mistake}): write one such as mongodb://127.0.0.1:27017/moult`
      )
    }

    this.#db = this.#client.db(nameIn(url))
    this.#log = log
  }

  collection(name: string): Collection {
    return this.#db.collection(name)
  }

  /** Fails until the indexes are there: without them two users could get one email. @throws Unavailable */
  requirePrepared(): void {
    if (!this.#prepared) {
      throw unavailable()
    }
  }

  /** @throws Unavailable when the database does not answer within 2 s */
  async ping(): Promise<void> {
    this.requirePrepared()

    const answers = this.#db.command({ ping: 1 }).then(
      () => true,
      () => false
    )

    if (!(await Promise.race([answers, setTimeoutAsync(pingTimeout, false, { ref: false })]))) {
      throw unavailable()
    }
  }

  /**
   * Makes the indexes. While the database is away it goes on trying, and the app answers 503.
   *
   * @throws ConfigurationError when the server is too old; the driver's errors when it refuses
   */
  async prepare(): Promise<void> {
    try {
      // Said outright: a client whose first call connects, and fails at it, never tries again
      await this.#client.connect()
      await this.#checkVersion()

      for (const { collection, key, ...options } of indexes) {
        await this.collection(collection).createIndex(key, options)
      }

      this.#prepared = true
    } catch (error) {
      if (!isUnreachable(error)) {
        throw error
      }

      this.#log.warn(
        'The database can not be reached: trying again each second, and answering 503 until then'
      )
      this.#prepareLater()
    }
  }

  /** Has something done while there still is a connection, when the service stops. */
  beforeClose(work: () => Promise<void>): void {
    this.#lastWork.push(work)
  }

  async close(): Promise<void> {
    await Promise.all(this.#lastWork.map((work) => work()))
    this.#closed = true
    clearTimeout(this.#retry)
    await this.#client.close()
  }

  #prepareLater(): void {
    if (this.#closed) {
      return
    }

    this.#retry = setTimeout(() => {
      this.prepare().catch((error: Error) => {
        this.#log.error(`The database can not be used: ${error.message}`)
        this.#prepareLater()
      })
    }, retryDelay)
  }

  async #checkVersion(): Promise<void> {
    const { version } = await this.#db.admin().buildInfo()

    if (Number.parseInt(version) < leastVersion) {
      throw new ConfigurationError(
        `mongodb names a server of version ${version}: write the URL of MongoDB ${leastVersion}.0 or newer`
      )
    }
  }
}

export const mongodb = (app: Application) => {
  const database = new Database(app.get('mongodb')!, app.get('logger'))

  app.set('database', database)
  app.hooks({
    setup: [
      async (_context: unknown, next: () => Promise<void>) => {
        await database.prepare()
        await next()
      }
    ]
  })
}

/** The name of the database in a connection string; where it names none, ours. */
export function nameIn(url: string): string {
  return /^[^/]+\/\/[^/]+\/([^?]+)/.exec(url)?.[1] ?? 'moult'
}

/** Whether a unique index refused a write, by an error of the driver or one that the Feathers adapter made of it. */
export function isDuplicate(error: unknown): boolean {
  const { code, data } = error as { code?: unknown; data?: { code?: unknown } }

  return code === 11000 || data?.code === 11000
}
