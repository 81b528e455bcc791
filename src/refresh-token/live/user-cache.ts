import type { Id } from '@feathersjs/feathers'
import { LRUCache } from 'lru-cache'
import { BSON, type Document } from 'mongodb'
import { copyOf } from '../sessions/copy.js'
import type { SessionRecord } from '../sessions/session.js'
import type { SessionOwner } from '../sessions/users.js'

/** A user in memory, unchanged since it was read. */
export interface CachedUser {
  /** A copy for the caller, without the sessions. */
  user: () => SessionOwner
  isDisabled: boolean
  sessions: ReadonlyMap<string, SessionRecord>
  /** What its service made of the user, if that holds until the user changes. */
  entity?: Document
  /** The id of the user, as its service reads it. */
  ownId?: Id
}

export interface UserCacheOptions {
  /** Reads a user with all sessions, as the majority has it; null when there is none. */
  read: (userId: string) => Promise<SessionOwner | null>
  /** Name of the field that holds the sessions. */
  sessionsField: string
  /** Whether the change stream is up to date. */
  isFresh: () => boolean
  /** The most that it may hold. */
  bytes: number
}

interface Entry extends CachedUser {
  bytes: number
}

const entryOverhead = 1024 // bytes: about what an entry takes beside the document
const sizeFactor = 3 // objects take about three times the size of their BSON

/**
 * The users who are active on this instance, in memory. A user is forgotten when it changes; while the change stream is
 * silent, nothing is answered from memory.
 */
export class UserCache {
  readonly #options: UserCacheOptions
  readonly #entries: LRUCache<string, Entry>
  // Reads under way. One during which the user changes may have found the old document, and is not cached
  readonly #reads = new Set<{ userId: string; overtaken: boolean }>()

  constructor(options: UserCacheOptions) {
    this.#options = options
    this.#entries = new LRUCache({
      maxSize: Math.max(1, options.bytes), // lru-cache does not allow 0
      sizeCalculation: ({ bytes }) => bytes
    })
  }

  /** How many look-ups found a cached user, and how many did not. */
  hits = 0
  misses = 0

  /** How much it holds. */
  get size(): { users: number; bytes: number } {
    return { users: this.#entries.size, bytes: this.#entries.calculatedSize }
  }

  /** Whether users are answered from memory now. */
  get isOpen(): boolean {
    return this.#options.isFresh()
  }

  /** The user, if it is cached. */
  get(userId: string): CachedUser | undefined {
    const cached = this.isOpen ? this.#entries.get(userId) : undefined

    if (cached) this.hits++
    else this.misses++

    return cached
  }

  /** Reads a user from the database, and caches it. */
  async read(userId: string): Promise<CachedUser | null> {
    const read = { userId, overtaken: false }

    this.#reads.add(read)

    const document = await this.#options.read(userId).finally(() => this.#reads.delete(read))
    const entry = document && entryOf(document, this.#options.sessionsField)

    if (entry && !read.overtaken) {
      this.#entries.set(userId, entry)
    }

    return entry
  }

  /** Forgets a user, because it changed. */
  forget(userId: string): void {
    for (const read of this.#reads) {
      read.overtaken ||= read.userId === userId
    }

    this.#entries.delete(userId)
  }

  forgetAll(): void {
    this.#reads.forEach((read) => (read.overtaken = true))
    this.#entries.clear()
  }
}

function entryOf(document: SessionOwner, field: string): Entry {
  const { [field]: stored, ...user } = document
  const sessions: SessionRecord[] = stored ?? []

  return {
    // A copy for each caller, who may change it
    user: () => copyOf(user),
    isDisabled: Boolean(user.disabled),
    sessions: new Map(sessions.map((session) => [session.id, session])),
    bytes: entryOverhead + sizeFactor * BSON.calculateObjectSize({ user, sessions })
  }
}
