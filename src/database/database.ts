import { setTimeout as setTimeoutAsync } from 'node:timers/promises'
import { MongoClient, type ClientSession, type Collection, type CollectionOptions, type Db } from 'mongodb'
import type { Logger } from '../logger.js'
import { ConfigurationError } from '../refresh-token/index.js'
import { isUnreachable, unavailable } from '../refresh-token/internal.js'
import type { NeededIndex } from './indexes.js'
import { Reachability } from './reachability.js'
import { mistakeOf } from './mistakes.js'
import { hostsOf, isLoginRefused, isSrvNotFound, isUnauthorized, whyUnreachable } from './unreachable.js'

// A call waits for a silent socket, and then once more for a server to retry on: 9 s in all
export const clientOptions = {
  appName: 'moult',
  serverSelectionTimeoutMS: 4000,
  connectTimeoutMS: 4000,
  socketTimeoutMS: 5000,
  waitQueueTimeoutMS: 4000,
  readPreference: 'primary', // a secondary may not know yet that a session has ended
  heartbeatFrequencyMS: 2000, // ms until a database that is back is noticed
  writeConcern: { w: 'majority', journal: true } // acknowledged writes survive the loss of a server
} as const
const standalone = 20 // MongoDB's error code for a transaction outside a replica set
const pingTimeout = 2000 // ms

const retryDelay = 1000 // ms between attempts to prepare a database that couldn't be reached at the start
export const leastVersion = 6 // the oldest that is maintained and whose updates can sort an array

/** The database: its client, and whether the indexes exist. */
export class Database {
  readonly #client: MongoClient
  readonly #db: Db
  readonly #log: Logger
  readonly #reachability: Reachability
  #prepared = false
  #closed = false
  readonly #indexes: NeededIndex[] = []
  readonly #lastWork: (() => Promise<void>)[] = []
  #retry: NodeJS.Timeout | undefined
  #lastFailure: string | undefined

  /** @throws ConfigurationError when the URL is not a connection string */
  constructor(url: string, log: Logger) {
    try {
      this.#client = new MongoClient(url, clientOptions)
    } catch (error) {
      // The driver's message names the mistake, but sometimes quotes the whole URL
      const mistake = (error as Error).message.replace(/\/\/[^\s"]*/g, '//…')

      throw new ConfigurationError(
        `mongodb is not a usable connection string (${mistake}): write one such as mongodb://127.0.0.1:27017/moult`
      )
    }

    this.#db = this.#client.db(usableName(url))
    this.#log = log
    this.#reachability = new Reachability(log)
    this.#client.on('topologyDescriptionChanged', ({ newDescription }) => {
      if (this.#prepared && !this.#closed) {
        this.#reachability.follow(newDescription)
      }
    })
  }

  /** Which servers can't be reached, and why, if known. Holds no credentials. */
  get unreachable(): string {
    return this.#reachability.why ?? hostsOf(this.#client)
  }

  collection(name: string, options?: CollectionOptions): Collection {
    return this.#db.collection(name, options)
  }

  /** Adds indexes that `prepare` creates unless they exist. */
  needIndexes(indexes: NeededIndex[]): void {
    this.#indexes.push(...indexes)
  }

  /** Fails until the indexes exist: without them, two users could get the same email. @throws Unavailable */
  requirePrepared(): void {
    if (!this.#prepared) {
      throw unavailable()
    }
  }

  /**
   * Works in a transaction, which is retried after a write conflict. A standalone server has no transactions; the work
   * is then done without one.
   */
  async transaction<T>(work: (session?: ClientSession) => Promise<T>): Promise<T> {
    try {
      return await this.#client.withSession((session) => session.withTransaction(() => work(session)))
    } catch (error) {
      if ((error as { code?: unknown }).code !== standalone) {
        throw error
      }

      return work()
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
   * Creates the indexes. While the database can't be reached, it retries every second and the app answers 503.
   *
   * @throws ConfigurationError if the server is too old or refuses the login, if the user lacks a role, or if the
   *   connection string asks for what isn't there; other refusals as errors of the driver
   */
  async prepare(): Promise<void> {
    try {
      // Explicitly: a client that connects implicitly, by its first call, and fails never tries again
      await this.#client.connect()
      await this.#checkVersion()

      for (const { collection, key, ...options } of this.#indexes) {
        await this.collection(collection).createIndex(key, options)
      }

      this.#prepared = true
      this.#reachability.back()
    } catch (error) {
      const why = whyUnreachable(error, hostsOf(this.#client))
      const mistake = mistakeOf(error)

      if (mistake) {
        throw mistake
      }

      if (isLoginRefused(error)) {
        throw new ConfigurationError(
          `mongodb names a database that can not be used (${why}): write the user, the password and the authSource of one that can`
        )
      }
      if (isUnauthorized(error)) {
        const { databaseName } = this.#db

        throw new ConfigurationError(
          `mongodb names a user who may not use the database "${databaseName}" at ${hostsOf(this.#client)}, or no user: ` +
            `write one who has the role readWrite on ${databaseName}`
        )
      }
      if (!isUnreachable(error) && !isSrvNotFound(error)) {
        throw error
      }

      this.#reachability.lost(why)
      this.#prepareLater()
    }
  }

  /** Adds work to do before the connection closes, when the service stops. */
  beforeClose(work: () => Promise<void>): void {
    this.#lastWork.push(work)
  }

  async close(): Promise<void> {
    await Promise.all(this.#lastWork.map((work) => work()))
    this.#closed = true
    clearTimeout(this.#retry)
    this.#reachability.close()
    await this.#client.close()
  }

  #prepareLater(): void {
    if (this.#closed) {
      return
    }

    this.#retry = setTimeout(() => {
      this.prepare().catch((error: Error) => {
        this.#logFailure(error.message)
        this.#prepareLater()
      })
    }, retryDelay)
  }

  /** Logs each reason once, however many attempts fail. */
  #logFailure(message: string): void {
    if (message !== this.#lastFailure) {
      this.#lastFailure = message
      this.#log.error(`The database can not be used: ${message}`)
    }
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

/** @throws ConfigurationError for a name that MongoDB does not accept */
function usableName(url: string): string {
  const name = nameIn(url)

  if (/[/\\. "$*<>:|?]/.test(name) || name.length >= 64) {
    throw new ConfigurationError(
      `mongodb names the database "${name}", which MongoDB does not accept: write a name of up to 63 letters, digits, "_" and "-"`
    )
  }
  if (['admin', 'config', 'local'].includes(name)) {
    throw new ConfigurationError(
      `mongodb names the database "${name}", which MongoDB keeps for itself: write another name, such as moult`
    )
  }

  return name
}

/** The name of the database in a connection string; `moult` if it names none. */
export function nameIn(url: string): string {
  return /^[^/]+\/\/[^/]+\/([^?]+)/.exec(url)?.[1] ?? 'moult'
}
