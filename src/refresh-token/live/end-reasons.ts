import type { Collection } from 'mongodb'
import type { EndReason } from '../sessions/session.js'

interface StoredReason {
  /** The session's id. */
  _id: string
  reason: EndReason
  endedAt: Date
}

const retention = 60 * 60 // s: other instances ask within seconds

/** The collection of the reasons, and its TTL index. */
export const endReasonsIndex = {
  collection: 'endedSessions',
  key: { endedAt: 1 },
  expireAfterSeconds: retention
} as const

/**
 * Tells other instances why sessions ended: the user document shows only that a session is gone. Kept for an hour, and
 * needed for nothing but the `reason` of events.
 */
export class EndReasons {
  readonly #users: () => Promise<Collection>
  readonly #writes = new Set<Promise<void>>()
  #collection: Promise<Collection<StoredReason>> | undefined

  /** @param users The collection of the users, in whose database the reasons are kept */
  constructor(users: () => Promise<Collection>) {
    this.#users = users
  }

  /** Creates the collection, so that the first reason does not wait for it. */
  prepare(): void {
    this.#open().catch(() => undefined) // tried again with the next reason
  }

  /** Notes why sessions ended. Never fails: they have ended, whether or not the reason is stored. */
  async note(ended: { id: string; reason: EndReason }[]): Promise<void> {
    const write = this.#write(ended)

    this.#writes.add(write)
    await write
    this.#writes.delete(write)
  }

  /** Waits for the writes under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#writes)
  }

  async #write(ended: { id: string; reason: EndReason }[]): Promise<void> {
    const endedAt = new Date() // real time, not an injected clock: expired by MongoDB's TTL index

    await this.#open()
      .then((collection) =>
        collection.insertMany(
          ended.map(({ id, reason }) => ({ _id: id, reason, endedAt })),
          { ordered: false, writeConcern: { w: 1 } }
        )
      )
      .catch(() => undefined)
  }

  /** The reasons that are noted, by session id. */
  async find(ids: string[]): Promise<Map<string, EndReason>> {
    const collection = await this.#open()
    const found = await collection.find({ _id: { $in: ids } }, { readPreference: 'primary' }).toArray()

    return new Map(found.map(({ _id, reason }) => [_id, reason]))
  }

  async #open(): Promise<Collection<StoredReason>> {
    this.#collection ??= this.#create()

    return this.#collection.catch((error: unknown) => {
      this.#collection = undefined
      throw error
    })
  }

  async #create(): Promise<Collection<StoredReason>> {
    const users = await this.#users()
    const { collection: name, key, expireAfterSeconds } = endReasonsIndex
    const collection = users.db.collection<StoredReason>(name)

    await collection.createIndex(key, { expireAfterSeconds })
    return collection
  }
}
