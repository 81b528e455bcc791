import { randomUUID } from 'node:crypto'
import { ObjectId, type Collection } from 'mongodb'
import { durable } from '../../refresh-token/internal.js'
import type { Job, StoredJob } from './job.js'

/** What waits in the outbox. */
export interface OutboxState {
  waiting: number
  /** How long the oldest has been waiting, ms; 0 if none is. */
  oldest: number
}

const lease = 2 * 60_000 // ms: longer than an attempt may take, after which another process tries again
const collectionName = 'outbox'
const waits = { dueAt: { $exists: true } }

/**
 * The mails that are to be sent, in a collection. Each verb is one atomic operation on one document, so a crash between
 * any two leaves a mail that is sent later; several processes may share the collection.
 */
export class OutboxStore {
  readonly #users: () => Promise<Collection>
  readonly #now: () => number
  #collection: Promise<Collection<StoredJob>> | undefined

  /**
   * @param users The collection of the users, in whose database the outbox is
   * @param now The clock: ms since 1970
   */
  constructor(users: () => Promise<Collection>, now: () => number) {
    this.#users = users
    this.#now = now
  }

  /**
   * Adds a job, which is due at once.
   *
   * @param life How long sending it is tried, ms
   * @param id The id of a job that may have been added before, and even done; it is then not added again
   */
  async add(job: Job, life: number, id?: ObjectId): Promise<void> {
    const jobs = await this.#open()
    const now = this.#now()
    const stored = {
      ...job,
      createdAt: new Date(now),
      dueAt: new Date(now),
      expiresAt: new Date(now + life),
      attempts: 0,
      ...(id && { isRepeatable: true })
    }

    await jobs.updateOne(
      { _id: id ?? new ObjectId() },
      { $setOnInsert: stored },
      { upsert: true, ...durable }
    )
  }

  /** Takes the job that has been due for longest. Of many who claim at once, each gets another one; null if none is due. */
  async claim(): Promise<StoredJob | null> {
    const jobs = await this.#open()
    const now = this.#now()

    return jobs.findOneAndUpdate(
      { dueAt: { $lte: new Date(now) } },
      { $set: { dueAt: new Date(now + lease), claim: randomUUID() }, $inc: { attempts: 1 } },
      { sort: { dueAt: 1 }, returnDocument: 'after', ...durable }
    )
  }

  /** Removes a job that is done, unless another process has claimed it meanwhile. */
  async remove({ _id, claim, isRepeatable = false }: StoredJob): Promise<void> {
    const jobs = await this.#open()
    const claimed = { _id, claim: claim! }

    await (isRepeatable
      ? jobs.updateOne(
          claimed,
          { $unset: { dueAt: '', claim: '', email: '', userId: '', data: '' } },
          durable
        )
      : jobs.deleteOne(claimed, durable))
  }

  /** Tries a job again later, unless another process has claimed it meanwhile. */
  async postpone({ _id, claim }: StoredJob, delay: number): Promise<void> {
    const jobs = await this.#open()

    await jobs.updateOne(
      { _id, claim: claim! },
      { $set: { dueAt: new Date(this.#now() + delay) }, $unset: { claim: 1 } },
      durable
    )
  }

  async state(): Promise<OutboxState> {
    const jobs = await this.#open()
    const [waiting, oldest] = await Promise.all([
      jobs.countDocuments(waits),
      jobs.findOne(waits, { sort: { createdAt: 1 }, projection: { createdAt: 1 } })
    ])

    return { waiting, oldest: oldest ? Math.max(0, this.#now() - oldest.createdAt.getTime()) : 0 }
  }

  /** Opens the collection and makes its indexes; if that fails, the next call tries again. */
  #open(): Promise<Collection<StoredJob>> {
    this.#collection ??= this.#make()

    return this.#collection.catch((error: unknown) => {
      this.#collection = undefined
      throw error
    })
  }

  async #make(): Promise<Collection<StoredJob>> {
    const jobs = (await this.#users()).db.collection<StoredJob>(collectionName)

    await jobs.createIndex({ dueAt: 1 })
    await jobs.createIndex({ createdAt: 1 })
    // Whatever nobody was there to give up
    await jobs.createIndex({ expiresAt: 1 }, { expireAfterSeconds: 0 })
    return jobs
  }
}
