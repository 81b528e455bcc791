import type {
  Collection,
  Document,
  Filter,
  FindOneAndUpdateOptions,
  FindOptions,
  UpdateFilter
} from 'mongodb'
import { isUnreachable, unavailable } from './errors.js'
import type { SessionRecord } from './session.js'

/** A user document that holds sessions. */
export interface SessionOwner extends Document {
  disabled?: boolean
  sessions?: SessionRecord[]
}

export type OwnerFilter = Filter<SessionOwner>

/** Where the users are. */
export interface UserDocumentsOptions {
  /** Name of the field that holds the user's id: `_id` as a rule. */
  idField: string
  /** Name of the field that holds the password's hash, which is never read here. */
  passwordField: string
  collection: () => Promise<Collection>
  /** Turns the `sub` of a token into what `idField` holds. */
  toId: (sub: string) => unknown
}

// A session that was answered must survive the loss of a server, and an ended one must stay ended
const durable = { writeConcern: { w: 'majority', journal: true } } satisfies FindOneAndUpdateOptions

// Another server may not have yet what was written or what the stream told
const newest = { readPreference: 'primary' } satisfies FindOptions
// And this one could lose it
const settled = { readConcern: { level: 'majority' }, ...newest } satisfies FindOptions

/** The user documents, one at a time. All methods throw Unavailable when the database can't be reached. */
export class UserDocuments {
  readonly #options: UserDocumentsOptions

  constructor(options: UserDocumentsOptions) {
    this.#options = options
  }

  is(userId: string): OwnerFilter {
    return { [this.#options.idField]: this.#options.toId(userId) }
  }

  /** Projection to all of a user but the password and the other sessions: up to twenty that nobody would read. */
  withSession(session: Document): Document {
    return { [this.#options.passwordField]: 0, sessions: { $elemMatch: session } }
  }

  /** A user with all sessions, as no failover can take back: what is kept in memory has to be true for long. */
  async read(userId: string): Promise<SessionOwner | null> {
    return this.find(this.is(userId), { ...settled, projection: { [this.#options.passwordField]: 0 } })
  }

  /** The sessions of many users, and whether they are disabled, by the users' ids. */
  async readMany(userIds: string[]): Promise<Map<string, SessionOwner>> {
    const { idField, toId } = this.#options
    const projection = { [idField]: 1, disabled: 1, sessions: 1 }
    const found = await this.#run((users) =>
      users.find({ [idField]: { $in: userIds.map(toId) } }, { ...settled, projection }).toArray()
    )

    return new Map(found.map((user) => [String(user[idField]), user]))
  }

  async find(filter: OwnerFilter, options: FindOptions = {}): Promise<SessionOwner | null> {
    return this.#run((users) => users.findOne(filter, { ...newest, ...options }))
  }

  /** One atomic update, acknowledged by the majority; null where nothing matched. */
  async update(
    filter: OwnerFilter,
    update: Document | Document[],
    options: FindOneAndUpdateOptions
  ): Promise<SessionOwner | null> {
    // The driver's type knows no "sessions.$.used"
    const typed = update as UpdateFilter<SessionOwner>

    return this.#run((users) => users.findOneAndUpdate(filter, typed, { ...durable, ...options }))
  }

  async #run<T>(operation: (users: Collection<SessionOwner>) => Promise<T>): Promise<T> {
    try {
      return await operation(await this.#options.collection())
    } catch (error) {
      throw isUnreachable(error) ? unavailable() : error
    }
  }
}
