import type { Collection, Filter } from 'mongodb'
import { isDuplicate, type NeededIndex } from '../mongodb.js'
import type { AuditEvent, StoredEvent } from './event.js'

export const eventsCollection = 'events'

/** What it is searched by; beside these it has the one that takes events away after the time that is set. */
export const eventIndexes: NeededIndex[] = [
  { collection: eventsCollection, key: { userId: 1, createdAt: -1, _id: -1 } },
  {
    collection: eventsCollection,
    key: { userId: 1, deviceKey: 1 },
    partialFilterExpression: { deviceKey: { $exists: true } }
  }
]

const otherOptions = 85 // the server's code for an index that is there with other options
const byAge = 'createdAt_1'

/** The collection `events`, which loses what is past its time by itself. */
export class EventStore {
  readonly #collection: Collection<StoredEvent>
  readonly #keep: number // ms
  #prepared: Promise<void> | undefined

  constructor(collection: Collection<StoredEvent>, keep: number) {
    this.#collection = collection
    this.#keep = keep
  }

  /** A page, newest first. */
  async find(
    filter: Filter<StoredEvent>,
    { limit, skip }: { limit: number; skip: number }
  ): Promise<{ total: number; data: AuditEvent[] }> {
    const isAll = Object.keys(filter).length === 0
    const [total, data] = await Promise.all([
      isAll ? this.#collection.estimatedDocumentCount() : this.#collection.countDocuments(filter),
      // To MongoDB 0 is no limit
      limit === 0
        ? []
        : this.#collection
            .find(filter, { sort: { createdAt: -1, _id: -1 }, skip, limit, projection: { deviceKey: 0 } })
            .toArray()
    ])

    return { total, data }
  }

  /** Whether a user has signed in before, from one device or any. */
  async hasSignedIn(userId: string, deviceKey?: string): Promise<boolean> {
    const filter = { userId, deviceKey: deviceKey ?? { $exists: true } }

    return (await this.#collection.findOne(filter, { projection: { _id: 1 } })) !== null
  }

  /** Writes events, some of which may have been written by an attempt whose answer was lost. */
  async insert(events: StoredEvent[]): Promise<void> {
    await this.prepare()

    try {
      await this.#collection.insertMany(events, { ordered: false })
    } catch (error) {
      if (!isDuplicate(error)) {
        throw error
      }
    }
  }

  /** Makes the indexes; tried again by the next write where that fails. */
  async prepare(): Promise<void> {
    this.#prepared ??= this.#makeIndexes()

    await this.#prepared.catch((error: unknown) => {
      this.#prepared = undefined
      throw error
    })
  }

  async #makeIndexes(): Promise<void> {
    for (const { key, partialFilterExpression } of eventIndexes) {
      await this.#collection.createIndex(key, { ...(partialFilterExpression && { partialFilterExpression }) })
    }

    const expireAfterSeconds = Math.floor(this.#keep / 1000)

    try {
      await this.#collection.createIndex({ createdAt: 1 }, { expireAfterSeconds, name: byAge })
    } catch (error) {
      if ((error as { code?: unknown }).code !== otherOptions) {
        throw error
      }

      // `keep` was another one when it was made
      await this.#collection.db.command({
        collMod: this.#collection.collectionName,
        index: { name: byAge, expireAfterSeconds }
      })
    }
  }
}
