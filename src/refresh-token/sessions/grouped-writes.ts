import { randomUUID } from 'node:crypto'
import type { Document } from 'mongodb'
import { unavailable } from '../database-errors.js'
import { Groups } from './groups.js'
import type { OwnerFilter, Users } from './users.js'

/** An update of one user document, which can be made by itself or together with those of other users. */
export interface Statement<T> {
  userId: string
  /** Makes it by itself; undefined when the document does not match. */
  alone: () => Promise<T | undefined>
  /** The same update, which leaves a mark in the session. */
  marked: (mark: string) => { filter: OwnerFilter; update: Document }
  /** What `alone` answers if the document matches, from what is read beforehand. */
  expected: () => Promise<T>
}

interface Gathered<T> extends Statement<T> {
  /** What `expected` answered, for a statement that did not come alone. */
  result?: T
}

/**
 * Sends the updates that wait at the same moment as one command, which is acknowledged by the majority and journaled like
 * each of them alone. MongoDB answers only how many documents matched. If that is all, all updates are made; else those
 * are whose random mark is found. Each of the others is tried once more by itself, so that one that fails, or waits for
 * another's transaction, harms no other.
 */
export class GroupedWrites<T> {
  readonly #users: Users
  readonly #groups = new Groups((statements: Gathered<T>[]) => this.#send(statements))
  // Whose updates are gathered or under way
  readonly #userIds = new Set<string>()

  constructor(users: Users) {
    this.#users = users
  }

  /** Makes an update; undefined when the document does not match. @throws what `alone` and `expected` throw */
  async run(statement: Statement<T>): Promise<T | undefined> {
    const { userId, alone, expected } = statement

    // Of two updates of one document in a batch, nobody could tell which one a count is of
    if (this.#userIds.has(userId)) {
      return alone()
    }

    this.#userIds.add(userId)

    try {
      const gathered = this.#groups.isBusy ? { ...statement, result: await expected() } : statement
      const settle = await this.#groups.run(gathered)

      return await settle()
    } finally {
      this.#userIds.delete(userId)
    }
  }

  async #send(statements: Gathered<T>[]): Promise<(() => Promise<T | undefined>)[]> {
    const [first, ...others] = statements

    if (others.length === 0) {
      const result = await first!.alone()

      return [async () => result]
    }

    const mark = randomUUID()
    const matched = await this.#users.updateEach(statements.map(({ marked }) => marked(mark)))

    if (matched === statements.length) {
      return statements.map(
        ({ result }) =>
          async () =>
            result
      )
    }

    const userIds = statements.map(({ userId }) => userId)
    const found = this.#users.withMark(userIds, mark) // the next batch does not wait for this

    return statements.map(({ userId, alone, result }) => async () => {
      const marked = await found

      return marked.has(userId) ? result : ((await alone()) ?? notMade(marked.size === matched))
    })
  }
}

/** A mark may be gone already, if the session was used once more: then nobody can tell that this update was not made. */
function notMade(isCertain: boolean): undefined {
  if (!isCertain) {
    throw unavailable()
  }
}
