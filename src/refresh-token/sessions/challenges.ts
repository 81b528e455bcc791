import type { Collection } from 'mongodb'
import { durable, reach } from '../database-errors.js'
import { Refused } from '../errors.js'
import type { Challenge } from '../tokens/challenge.js'

/** A challenge that was answered, rightly or wrongly. Until then nothing is stored of it. */
interface StoredChallenge {
  /** jti */
  _id: string
  tries: number
  usedAt?: Date
  expiresAt: Date
}

const maxTries = 10

/** The collection of the challenges, and its TTL index. */
export const challengesIndex = {
  collection: 'factorChallenges',
  key: { expiresAt: 1 },
  expireAfterSeconds: 60
} as const

/** How often challenges were answered. What counts is one conditional update. */
export class Challenges {
  readonly #users: () => Promise<Collection>
  readonly #now: () => number

  /** @param users The collection beside which they are stored */
  constructor(users: () => Promise<Collection>, now: () => number) {
    this.#users = users
    this.#now = now
  }

  /** Has MongoDB remove those that have expired. */
  async prepare(): Promise<void> {
    const { key, expireAfterSeconds } = challengesIndex

    await this.#run((challenges) => challenges.createIndex(key, { expireAfterSeconds }))
  }

  /** Counts an answer, before it is looked at. @throws Refused `expired` for one that was used, or tried ten times */
  async try({ jti: _id, exp }: Challenge): Promise<void> {
    const { matchedCount } = await this.#run(async (challenges) => {
      await challenges.updateOne(
        { _id },
        { $setOnInsert: { tries: 0, expiresAt: new Date(exp * 1000) } },
        { upsert: true, ...durable }
      )

      return challenges.updateOne(
        { _id, tries: { $lt: maxTries }, usedAt: { $exists: false } },
        { $inc: { tries: 1 } },
        durable
      )
    })

    requireOne(matchedCount)
  }

  /** Uses a challenge that was tried. Of many uses at once, one succeeds. @throws Refused `expired` */
  async use({ jti: _id }: Challenge): Promise<void> {
    const { matchedCount } = await this.#run((challenges) =>
      challenges.updateOne(
        { _id, usedAt: { $exists: false } },
        { $set: { usedAt: new Date(this.#now()) } },
        durable
      )
    )

    requireOne(matchedCount)
  }

  /** Takes the use of a challenge back, which opened no session. */
  async release({ jti: _id }: Challenge): Promise<void> {
    await this.#run((challenges) => challenges.updateOne({ _id }, { $unset: { usedAt: '' } }, durable))
  }

  #run<T>(operation: (challenges: Collection<StoredChallenge>) => Promise<T>): Promise<T> {
    return reach(async () => {
      const users = await this.#users()

      return operation(users.db.collection<StoredChallenge>(challengesIndex.collection))
    })
  }
}

function requireOne(matched: number): void {
  if (matched === 0) {
    throw new Refused('expired')
  }
}
