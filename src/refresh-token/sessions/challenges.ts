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

const collectionName = 'factorChallenges'
const maxTries = 10
const duplicateKey = 11000 // MongoDB's error code

/** How often challenges were answered. Each verb is one conditional update. */
export class Challenges {
  readonly #users: () => Promise<Collection>
  readonly #now: () => number
  #indexed: Promise<unknown> | undefined

  /** @param users The collection beside which they are stored */
  constructor(users: () => Promise<Collection>, now: () => number) {
    this.#users = users
    this.#now = now
  }

  /** Counts an answer, before it is looked at. @throws Refused `expired` for one that was used, or tried ten times */
  async try({ jti, exp }: Challenge): Promise<void> {
    await this.#run(async (challenges) => {
      await challenges
        .updateOne(
          { _id: jti, tries: { $lt: maxTries }, usedAt: { $exists: false } },
          { $inc: { tries: 1 }, $setOnInsert: { expiresAt: new Date(exp * 1000) } },
          { upsert: true, ...durable }
        )
        .catch((error: { code?: unknown }) => {
          throw error.code === duplicateKey ? new Refused('expired') : error
        })
    })
  }

  /** Uses a challenge that was tried. Of many uses at once, one succeeds. @throws Refused `expired` */
  async use({ jti }: Challenge): Promise<void> {
    const { matchedCount } = await this.#run((challenges) =>
      challenges.updateOne(
        { _id: jti, usedAt: { $exists: false } },
        { $set: { usedAt: new Date(this.#now()) } },
        durable
      )
    )

    if (matchedCount === 0) {
      throw new Refused('expired')
    }
  }

  #run<T>(operation: (challenges: Collection<StoredChallenge>) => Promise<T>): Promise<T> {
    return reach(async () => {
      const users = await this.#users()
      const challenges = users.db.collection<StoredChallenge>(collectionName)

      this.#indexed ??= challenges.createIndex({ expiresAt: 1 }, { expireAfterSeconds: 60 })
      await this.#indexed.catch((error: unknown) => {
        this.#indexed = undefined
        throw error
      })

      return operation(challenges)
    })
  }
}
