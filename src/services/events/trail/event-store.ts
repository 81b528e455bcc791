import type { Collection, Filter } from 'mongodb'
import { isDuplicate, type NeededIndex } from '../../../database/indexes.js'
import { doneOnce } from '../../../refresh-token/internal.js'
import type { Device } from '../../../refresh-token/index.js'
import { deviceKey } from './device-key.js'
import type { AuditEvent, StoredEvent } from './event.js'

export const eventsCollection = 'events'

const ofSignIns = (field: 'deviceKey' | 'network'): NeededIndex => ({
  collection: eventsCollection,
  key: { userId: 1, [field]: 1 },
  partialFilterExpression: { [field]: { $exists: true } }
})

/** The indexes for searching; the store makes another one, by which MongoDB removes expired events. */
export const eventIndexes: NeededIndex[] = [
  { collection: eventsCollection, key: { userId: 1, createdAt: -1, _id: -1 } },
  ofSignIns('deviceKey'),
  ofSignIns('network')
]

const otherOptions = 85 // MongoDB's error code for an index that exists with other options
const byAge = 'createdAt_1'

/** The collection `events`, from which MongoDB removes expired events. */
export class EventStore {
  readonly #collection: Collection<StoredEvent>
  readonly #keep: number // ms

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
      // To MongoDB, 0 means no limit
      limit === 0
        ? []
        : this.#collection
            .find(filter, {
              sort: { createdAt: -1, _id: -1 },
              skip,
              limit,
              projection: { deviceKey: 0, network: 0 }
            })
            .toArray()
    ])

    return { total, data }
  }

  /** Whether a user has signed in before: from that device, or from any. */
  async hasSignedIn(userId: string, key?: string): Promise<boolean> {
    const filter = { userId, deviceKey: key ?? { $exists: true } }

    return (await this.#collection.findOne(filter, { projection: { _id: 1 } })) !== null
  }

  /** What a user's account knows a client by: a device, or else a network, that the user has signed in from. */
  async knownAs(
    userId: string,
    { device, network }: { device?: Device; network?: string }
  ): Promise<string | undefined> {
    const signs = [
      ...(device ? [{ deviceKey: deviceKey(device) }] : []),
      ...(network === undefined ? [] : [{ network }])
    ]

    for (const sign of signs) {
      if (await this.#collection.findOne({ userId, ...sign }, { projection: { _id: 1 } })) {
        return JSON.stringify(sign)
      }
    }

    return undefined
  }

  /** Writes events, some of which an attempt whose answer was lost may have written already. */
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

  /** Makes the indexes. If that fails, the next write tries again. */
  readonly prepare = doneOnce(() => this.#makeIndexes())

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

      // `keep` has changed since it was made
      await this.#collection.db.command({
        collMod: this.#collection.collectionName,
        index: { name: byAge, expireAfterSeconds }
      })
    }
  }
}
