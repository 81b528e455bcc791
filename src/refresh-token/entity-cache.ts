import { LRUCache } from 'lru-cache'
import { BSON, type Document } from 'mongodb'
import type { SessionRecord } from './session.js'
import type { SessionOwner } from './user-documents.js'

/** A user as the database had it, and nothing has changed since. */
export interface KnownUser {
  /** A copy of one's own, without the sessions. */
  user(): SessionOwner
  sessions: ReadonlyMap<string, SessionRecord>
  /** What was made of it, which is true as long as it is. */
  views: Map<string, Document>
}

export interface EntityCacheOptions {
  /** Reads a user with all sessions, as the majority has it; null where there is none. */
  read: (userId: string) => Promise<SessionOwner | null>
  /** Whether all changes but the latest are known. */
  isFresh: () => boolean
  /** How much it may hold. */
  bytes: number
}

interface Entry extends KnownUser {
  bytes: number
}

const entryOverhead = 1024 // bytes: about what an entry takes beside the document
const sizeFactor = 3 // objects take about so much more than the bytes they came in

/**
 * The users active here, in memory. Whoever hears that one changed has it forgotten; while changes are not heard it
 * knows nobody.
 */
export class EntityCache {
  readonly #options: EntityCacheOptions
  readonly #entries: LRUCache<string, Entry>
  // Reads under way. What changes meanwhile may not be in what they find, so that is not kept
  readonly #reads = new Set<{ userId: string; overtaken: boolean }>()

  constructor(options: EntityCacheOptions) {
    this.#options = options
    this.#entries = new LRUCache({
      maxSize: Math.max(1, options.bytes), // lru-cache takes no 0
      sizeCalculation: ({ bytes }) => bytes
    })
  }

  /** How often a user was asked for that is known, and one that is not. */
  hits = 0
  misses = 0

  /** What it holds. */
  get size(): { users: number; bytes: number } {
    return { users: this.#entries.size, bytes: this.#entries.calculatedSize }
  }

  /** Whether what it holds is true now. */
  get isOpen(): boolean {
    return this.#options.isFresh()
  }

  /** The user, if it is known. */
  get(userId: string): KnownUser | undefined {
    const known = this.isOpen ? this.#entries.get(userId) : undefined

    if (known) this.hits++
    else this.misses++

    return known
  }

  /** Asks the database, and keeps what it says. */
  async read(userId: string): Promise<KnownUser | null> {
    const read = { userId, overtaken: false }

    this.#reads.add(read)

    const document = await this.#options.read(userId).finally(() => this.#reads.delete(read))
    const entry = document && entryOf(document)

    if (entry && !read.overtaken) {
      this.#entries.set(userId, entry)
    }

    return entry
  }

  /** Forgets a user that changed. */
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

function entryOf({ sessions = [], ...user }: SessionOwner): Entry {
  return {
    // Copied for each who asks: what one does to it is nothing to the others
    user: () => copyOf(user),
    sessions: new Map(sessions.map((session) => [session.id, session])),
    views: new Map(),
    bytes: entryOverhead + sizeFactor * BSON.calculateObjectSize({ user, sessions })
  }
}

/** Of objects and lists; what else MongoDB stores (ids, dates) is shared. */
function copyOf<T>(value: T): T {
  if (Array.isArray(value)) {
    return value.map(copyOf) as T
  }
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) {
    return value
  }

  const copy: Record<string, unknown> = {}

  for (const [name, member] of Object.entries(value)) {
    copy[name] = copyOf(member)
  }

  return copy as T
}
