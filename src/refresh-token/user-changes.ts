import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ChangeStream, Collection, ResumeToken } from 'mongodb'
import { isUnreachable } from './errors.js'
import { pipeline, type RawChange } from './user-change-pipeline.js'

/** A change of one user document, whoever made it. */
export interface UserChange {
  userId: string
  operation: 'insert' | 'update' | 'replace' | 'delete'
  /** Of an update the fields that changed, with dots where they lie deeper. */
  fields: string[]
  /** When, by the database's clock. */
  at: Date | undefined
}

/** Whether the stream is heard; `not needed` where there can be none, and the database is asked at each call. */
export type StreamState = 'fresh' | 'silent' | 'not needed'

export interface UserChangesEvents {
  /** A user changed. */
  changed: [UserChange]
  /** Any user may have changed, and that was not heard. Said every half second while nothing is heard. */
  missed: []
}

export interface UserChangesOptions {
  collection: () => Promise<Collection>
  /** Whether users are known by `_id`, which is all that the stream tells of them. */
  isFollowable: boolean
  /** How long after it was last heard from the stream counts as fresh, ms. */
  maxStale: number
  /** Hears, once each time it comes to that, that there is no stream. */
  warn: (sentence: string) => void
}

const sayMissedEvery = 500 // ms: what ends elsewhere is to be felt here within a second
const retryDelay = 500 // ms between attempts to open a stream
const retryDelayWithout = 30_000 // ms, where the server has no change streams: it may become a replica set
const batchSize = 10_000 // what was missed comes at once, so that it is fresh again when it was read
const noChangeStreams = 40573 // "only supported on replica sets"

/**
 * The changes of the user documents, of all instances, by a change stream. It goes on by itself after whatever happens
 * to the database, and says when something may have been missed.
 */
export class UserChanges extends EventEmitter<UserChangesEvents> {
  readonly #options: UserChangesOptions
  readonly #stop = new AbortController()
  // When that was asked which was heard last, ms of performance.now(): a clock that is set does not make it fresh
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

  /** Whether all changes are known but those of the last `maxStale` ms. */
  get isFresh(): boolean {
    return performance.now() - this.#heardAt <= this.#options.maxStale
  }

  get state(): StreamState {
    return this.isFresh
      ? 'fresh'
      : this.#isUnsupported || !this.#options.isFollowable
        ? 'not needed'
        : 'silent'
  }

  /** How long ago the stream was last heard from, ms; Infinity where it was not. */
  get silence(): number {
    return performance.now() - this.#heardAt
  }

  start(): void {
    this.#tick = setInterval(() => this.#look(), sayMissedEvery).unref()

    if (this.#options.isFollowable) {
      this.#ended = this.#follow()
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    clearInterval(this.#tick)
    this.#heardAt = -Infinity
    await this.#stream?.close().catch(() => undefined)
    await this.#ended
  }

  #look(): void {
    if (this.isFresh) {
      return
    }
    if (this.#heardAt > -Infinity) {
      this.#warn('The change stream of the users fell silent')
    }

    this.emit('missed')
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop

    while (!signal.aborted) {
      const delay = await this.#read().then(
        () => retryDelay,
        (error: unknown) => this.#failed(error)
      )

      await sleep(delay, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  /** Reads one stream to its end. */
  async #read(): Promise<void> {
    const stream = await this.#open()
    let isNew = this.#token === undefined

    try {
      while (!this.#stop.signal.aborted) {
        // The answer tells what had happened by then. When it comes says nothing: this process may have stood still
        const asked = performance.now()
        const change = (await stream.tryNext()) as RawChange | null

        if (isNew) {
          this.emit('missed')
          isNew = false
        }

        this.#heardAt = asked
        this.#token = stream.resumeToken
        this.#warned = false
        this.#isUnsupported = false

        if (change && !change.documentKey) {
          // The collection was dropped or renamed, and the stream ends with it
          this.#forget()
          return
        }
        if (change) {
          const { operationType: operation, documentKey, fields, wallTime: at } = change

          this.emit('changed', { userId: String(documentKey!._id), operation, fields, at })
        }
      }
    } finally {
      await stream.close().catch(() => undefined)
    }
  }

  async #open(): Promise<ChangeStream> {
    const { collection, maxStale } = this.#options
    const users = await collection()

    this.#stream = users.watch(pipeline, {
      maxAwaitTimeMS: Math.ceil(maxStale / 4), // how often it is heard from while nothing changes
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
      this.#options.warn(`${what}: until it is heard, the database is asked at each call`)
    }
  }

  /** Says so once, and how long to wait until the next attempt, ms. */
  #failed(error: unknown): number {
    const isUnsupported = (error as { code?: unknown }).code === noChangeStreams

    this.#isUnsupported ||= isUnsupported

    if (!isUnreachable(error)) {
      // The oplog no longer goes back so far (ChangeStreamHistoryLost), say
      this.#forget()
    }
    this.#warn(
      isUnsupported
        ? 'This MongoDB has no change streams, as it is no replica set'
        : 'The change stream of the users broke'
    )

    return isUnsupported ? retryDelayWithout : retryDelay
  }
}
