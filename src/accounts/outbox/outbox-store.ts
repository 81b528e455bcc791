import { randomUUID } from 'node:crypto'
import { ObjectId, type Collection } from 'mongodb'
import { doneOnce, durable } from '../../refresh-token/internal.js'
import type { Job, StoredJob } from './job.js'

/** The state of the outbox. */
export interface OutboxState {
  waiting: number
  /** How long the oldest mail has been waiting, ms; 0 if none is. */
  oldest: number
}

const lease = 2 * 60_000 // ms until another process may try again: longer than an attempt can take
const collectionName = 'outbox'
const waits = { dueAt: { $exists: true } }

/**
 * The mails to send, in a collection that several processes may share. Each verb is one atomic operation on one
 * document, so after a crash between any two the mail is sent later.
 */
export class OutboxStore {
  readonly #users: () => Promise<Collection>
  readonly #now: () => number
  readonly #open = doneOnce(() => this.#make())

  /**
   * @param users The collection of the users; the outbox is in the same database
   * @param now The clock: ms since 1970
   */
  constructor(users: () => Promise<Collection>, now: () => number) {
    this.#users = users
    this.#now = now
  }

  /**
   * Adds a job that is due at once.
   *
   * @param life How long to try sending it, ms
   * @param id Set for a job that may have been added before, and may even be done; it isn't added twice
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

  /** Claims the job that has been due the longest; null if none is due. No two concurrent claims get the same job. */
  async claim(): Promise<StoredJob | null> {
    const jobs = await this.#open()
    const now = this.#now()

    return jobs.findOneAndUpdate(
      { dueAt: { $lte: new Date(now) } },
      { $set: { dueAt: new Date(now + lease), claim: randomUUID() }, $inc: { attempts: 1 } },
      { sort: { dueAt: 1 }, returnDocument: 'after', ...durable }
    )
  }

  /** Removes a finished job, unless another process has claimed it in the meantime. */
  async remove({ _id, claim, isRepeatable = false }: StoredJob): Promise<void> {
    const jobs = await this.#open()
    const claimed = { _id, claim: claim! }

    await (isRepeatable
      ? jobs.updateOne(
          claimed,
          { $unset: { dueAt: '', claim: '', email: '', userId: '', by: '', data: '' } },
          durable
        )
      : jobs.deleteOne(claimed, durable))
  }

  /** Schedules a job for another attempt, unless another process has claimed it in the meantime. */
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

  /** Opens the collection and creates its indexes. */
  async #make(): Promise<Collection<StoredJob>> {
    const jobs = (await this.#users()).db.collection<StoredJob>(collectionName)

    await jobs.createIndex({ dueAt: 1 })
    await jobs.createIndex({ createdAt: 1 })
    // Removes what no process was running to give up
    await jobs.createIndex({ expiresAt: 1 }, { expireAfterSeconds: 0 })
    return jobs
  }
}
