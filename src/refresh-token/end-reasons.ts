import type { Collection } from 'mongodb'
import type { EndReason } from './session.js'

interface StoredReason {
  /** The session's. */
  _id: string
  reason: EndReason
  endedAt: Date
}

const kept = 60 * 60 // s: other instances ask within seconds

/** Where the reasons are kept, and for how long. */
export const endReasonsIndex = {
  collection: 'endedSessions',
  key: { endedAt: 1 },
  expireAfterSeconds: kept
} as const

/**
 * Why sessions ended, for the other instances: these see in the user document that one is gone, not why. For an hour;
 * nothing but what is told depends on it.
 */
export class EndReasons {
  readonly #users: () => Promise<Collection>
  readonly #notes = new Set<Promise<void>>() // that are being written
  #collection: Promise<Collection<StoredReason>> | undefined

  /** @param users They are kept beside these */
  constructor(users: () => Promise<Collection>) {
    this.#users = users
  }

  /** Makes the collection, so that the first reason does not wait for it. */
  prepare(): void {
    this.#open().catch(() => undefined) // the next one tries again
  }

  /** Notes why sessions ended. Never fails: without a reason they have ended just the same. */
  async note(ended: { id: string; reason: EndReason }[]): Promise<void> {
    const note = this.#write(ended)

    this.#notes.add(note)
    await note
    this.#notes.delete(note)
  }

  /** Waits for what is being noted: whoever stops, and with it its database, says the reasons first. */
  async settled(): Promise<void> {
    await Promise.all(this.#notes)
  }

  async #write(ended: { id: string; reason: EndReason }[]): Promise<void> {
    const endedAt = new Date() // MongoDB's clock takes them away

    await this.#open()
      .then((collection) =>
        collection.insertMany(
          ended.map(({ id, reason }) => ({ _id: id, reason, endedAt })),
          { ordered: false, writeConcern: { w: 1 } }
        )
      )
      .catch(() => undefined)
  }

  /** Those that are known, by session. */
  async find(ids: string[]): Promise<Map<string, EndReason>> {
    const collection = await this.#open()
    const found = await collection.find({ _id: { $in: ids } }, { readPreference: 'primary' }).toArray()

    return new Map(found.map(({ _id, reason }) => [_id, reason]))
  }

  async #open(): Promise<Collection<StoredReason>> {
    this.#collection ??= this.#make()

    return this.#collection.catch((error: unknown) => {
      this.#collection = undefined
      throw error
    })
  }

  async #make(): Promise<Collection<StoredReason>> {
    const users = await this.#users()
    const { collection: name, key, expireAfterSeconds } = endReasonsIndex
    const collection = users.db.collection<StoredReason>(name)

    await collection.createIndex(key, { expireAfterSeconds })
    return collection
  }
}
