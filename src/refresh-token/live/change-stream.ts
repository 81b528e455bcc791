import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChangeStream, Collection, ResumeToken, Timestamp } from 'mongodb'
import { isUnreachable } from '../database-errors.js'
import { pipelineFor, type RawChange } from './change-pipeline.js'

/** A change of one user document, by any process. */
export interface UserChange {
  userId: string
  operation: RawChange['operationType']
  /** The fields that an update changed; nested ones with dots. */
  fields: string[]
  /** When it was made, by the database's clock. */
  at: Date | undefined
  /** The same as the cluster counts it: a read after it sees the change. */
  clusterTime?: Timestamp | undefined
}

/** Whether the stream is up to date; `not needed` when there can be none and the database is read at each call. */
export type StreamState = 'fresh' | 'silent' | 'not needed'

export interface UserChangesEvents {
  /** A user changed. */
  changed: [UserChange]
  /** The stream may have missed changes: distrust everything cached. Repeated every half second while it is silent. */
  missed: []
}

export interface UserChangesOptions {
  collection: () => Promise<Collection>
  /** Name of the field that holds the sessions. */
  sessionsField: string
  /** Whether users are identified by `_id`, the only id in the stream. */
  isFollowable: () => boolean
  /** How long the stream counts as fresh after its last answer, ms. */
  maxStale: number
  /** Called once each time the stream is lost. */
  warn: (sentence: string) => void
}

const missedInterval = 500 // ms: a session that ends elsewhere has to end here within a second
const retryDelay = 500 // ms between attempts to open a stream
const unsupportedRetryDelay = 30_000 // ms: a server without change streams may become a replica set
const batchSize = 10_000 // missed changes come in one batch, so that the stream is fresh as soon as it is read
const pause = 25 // ms after an answer: changes that follow close upon each other come in one, which costs far less
const fromMemory = 0.3 // ms: an answer of the server holds many changes, and the others of it take microseconds
const noChangeStreams = 40573 // "only supported on replica sets"

/**
 * Follows the user documents by a change stream, across all instances. Recovers by itself from any failure of the
 * database, and emits `missed` when changes may have been lost.
 */
export class UserChanges extends EventEmitter<UserChangesEvents> {
  readonly #options: UserChangesOptions
  #stop = new AbortController()
  // When the request for the last answer was sent, by performance.now(), which cannot be set
  #heardAt = -Infinity
  #token: ResumeToken
  #stream: ChangeStream | undefined
  #ended: Promise<void> = Promise.resolve()
  #tick: NodeJS.Timeout | undefined
  #warned = false
  #isUnsupported = false

  constructor(options: UserChangesOptions) {
    super()
    this.#options = options
  }

  /** Whether it has delivered all changes except those of the last `maxStale` ms. */
  get isFresh(): boolean {
    return performance.now() - this.#heardAt <= this.#options.maxStale
  }

  get state(): StreamState {
    return this.isFresh
      ? 'fresh'
      : this.#isUnsupported || !this.#options.isFollowable()
        ? 'not needed'
        : 'silent'
  }

  /** How long ago the stream last answered, ms; Infinity when it never did. */
  get silence(): number {
    return performance.now() - this.#heardAt
  }

  /** Does nothing while it runs; may be called again once it was stopped. */
  start(): void {
    if (this.#tick) {
      return
    }

    this.#stop = new AbortController()
    this.#tick = setInterval(() => this.#checkFreshness(), missedInterval).unref()

    if (this.#options.isFollowable()) {
      this.#ended = this.#follow()
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    clearInterval(this.#tick)
    this.#tick = undefined
    this.#forget()
    await this.#stream?.close().catch(() => undefined)
    await this.#ended
  }

  #checkFreshness(): void {
    if (this.isFresh) {
      return
    }
    if (this.#heardAt > -Infinity) {
      this.#warn('The change stream of the users fell silent')
    }

    this.emit('missed')
  }

  async #follow(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const delay = await this.#read().then(
        () => retryDelay,
        (error: unknown) => this.#failed(error)
      )

      await this.#rest(delay)
    }
  }

  /** Until it is stopped, at most. */
  async #rest(delay: number): Promise<void> {
    await sleep(delay, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined)
  }

  /** Reads one stream to its end. */
  async #read(): Promise<void> {
    const stream = await this.#open()
    let isNew = this.#token === undefined

    try {
      while (!this.#stop.signal.aborted) {
        // Changes after this moment may be missing from the answer, however late this process gets to read it
        const asked = performance.now()
        const change = (await stream.tryNext()) as RawChange | null
        const answered = performance.now()

        if (isNew) {
          this.emit('missed')
          isNew = false
        }

        this.#heardAt = asked
        this.#token = stream.resumeToken
        this.#warned = false
        this.#isUnsupported = false

        if (change && !change.documentKey) {
          // The collection was dropped or renamed, which ends the stream
          this.#forget()
          return
        }
        if (change) {
          const { operationType: operation, documentKey, fields, wallTime: at, clusterTime } = change

          this.emit('changed', { userId: String(documentKey!._id), operation, fields, at, clusterTime })

          if (answered - asked > fromMemory) {
            await this.#rest(pause)
          }
        }
      }
    } finally {
      await stream.close().catch(() => undefined)
    }
  }

  async #open(): Promise<ChangeStream> {
    const { collection, sessionsField, maxStale } = this.#options
    const users = await collection()

    this.#stream = users.watch(pipelineFor(sessionsField), {
      maxAwaitTimeMS: Math.ceil(maxStale / 4), // how often it answers while nothing changes
      batchSize,
      readPreference: 'primary',
      ...(this.#token !== undefined && { resumeAfter: this.#token })
    })

    return this.#stream
  }

  #forget(): void {
    this.#token = undefined
    this.#heardAt = -Infinity
  }

  #warn(what: string): void {
    if (!this.#warned && !this.#stop.signal.aborted) {
      this.#warned = true
      this.#options.warn(`${what}: until it recovers, the database is read at each call`)
    }
  }

  /** Warns once, and returns the delay before the next attempt, ms. */
  #failed(error: unknown): number {
    const isUnsupported = (error as { code?: unknown }).code === noChangeStreams

    this.#isUnsupported ||= isUnsupported

    if (!isUnreachable(error)) {
      // For one, the oplog no longer reaches back far enough (ChangeStreamHistoryLost)
      this.#forget()
    }
    this.#warn(
      isUnsupported
        ? 'This MongoDB has no change streams because it is not a replica set'
        : 'The change stream of the users broke'
    )

    return isUnsupported ? unsupportedRetryDelay : retryDelay
  }
}
