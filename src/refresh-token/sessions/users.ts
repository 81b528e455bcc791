import type {
  Collection,
  Document,
  Filter,
  FindOneAndUpdateOptions,
  FindOptions,
  MongoBulkWriteError,
  Timestamp,
  UpdateFilter
} from 'mongodb'
import { durable, reach } from '../database-errors.js'
import { Groups } from './groups.js'
import { isExpired, type SessionRecord } from './session.js'

/** A user document that holds sessions, in the field of the settings. */
export interface SessionOwner extends Document {
  disabled?: boolean
}

/** The parts of a user that are announced. */
export interface SessionsOfUser {
  isDisabled: boolean
  sessions: SessionRecord[]
}

export type OwnerFilter = Filter<SessionOwner>

export interface UsersOptions {
  /** Name of the field that holds the user's id: `_id` as a rule. */
  idField: string
  /** Names of the fields that hold hashes of passwords, which are never read along with a session. */
  passwordFields: readonly string[]
  /** Name of the field that holds the sessions. */
  sessionsField: string
  collection: () => Promise<Collection>
  /** What `idField` may hold for the `sub` of a token. */
  toIds: (sub: string) => unknown[]
}

/** Matches users who have something other than sessions in the field for these. */
export const foreignSessions = (field: string): Document => ({
  $or: [
    { [field]: { $exists: true, $ne: null, $not: { $type: 'array' } } },
    { [field]: { $elemMatch: { $not: { $type: 'object' } } } },
    { [field]: { $elemMatch: { renewable: { $exists: false } } } }
  ]
})

/** The same check for a value that was read from that field. */
export const areForeign = (value: unknown): boolean =>
  value !== undefined &&
  value !== null &&
  !(Array.isArray(value) && value.every((item) => isObject(item) && 'renewable' in item))

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

// A secondary may not have what was just written, or what the change stream announced
const newest = { readPreference: 'primary' } satisfies FindOptions
// A failover can undo what only the primary has
const settled = { readConcern: { level: 'majority' }, ...newest } satisfies FindOptions

// ms: a statement that waits for another's transaction must not hold up the others for long
const longestBatch = 1000
const exceededTimeLimit = 50

/** The user documents. All methods throw Unavailable when the database can't be reached. */
export class Users {
  readonly #options: UsersOptions
  readonly #reads = new Groups<string, SessionOwner | null>((userIds) => this.#readEach(userIds))
  // The time of the newest change that was heard, as the cluster counts it
  #heard: Timestamp | undefined

  constructor(options: UsersOptions) {
    this.#options = options
    this.field = options.sessionsField
  }

  /** Name of the field that holds the sessions. */
  readonly field: string

  readonly sessionsOf = (user: SessionOwner): SessionRecord[] => user[this.field] ?? []

  readonly withoutSessions = ({ [this.field]: _sessions, ...user }: SessionOwner): SessionOwner => user

  /** Matches a user by id. */
  is(userId: string): OwnerFilter {
    return this.#among([userId])
  }

  #among(userIds: string[]): OwnerFilter {
    const { idField, toIds } = this.#options
    const ids = userIds.flatMap(toIds)

    return { [idField]: ids.length === 1 ? ids[0] : { $in: ids } }
  }

  /** Projects a user without the password and the other sessions, of which there may be many. */
  withSession(session: Document): Document {
    return { ...this.#withoutPasswords, [this.field]: { $elemMatch: session } }
  }

  get #withoutPasswords(): Document {
    return Object.fromEntries(this.#options.passwordFields.map((field) => [field, 0]))
  }

  /** Records a change from the stream: `read` and `readMany` don't return anything older from now on. */
  heard(clusterTime: Timestamp | undefined): void {
    if (clusterTime && !this.#heard?.greaterThan(clusterTime)) {
      this.#heard = clusterTime
    }
  }

  /**
   * A user with all sessions, as the majority has it: no failover can undo what is cached. Those that are waited for at the
   * same moment are read at once.
   */
  read(userId: string): Promise<SessionOwner | null> {
    return this.#reads.run(userId)
  }

  async #readEach(userIds: string[]): Promise<(SessionOwner | null)[]> {
    const projection = this.#withoutPasswords
    const found = await this.#runSettled((users, options) =>
      users.find(this.#among(userIds), { ...options, projection }).toArray()
    )
    const byId = this.#byId(found)

    return userIds.map((userId) => byId.get(userId) ?? null)
  }

  /** Users by the text of their ids. None for a text that stands for several, such as 9 and "9". */
  #byId(users: SessionOwner[]): Map<string, SessionOwner> {
    const ids = users.map((user) => String(user[this.#options.idField]))
    const byId = new Map(users.map((user, index) => [ids[index]!, user]))

    if (byId.size < users.length) {
      ids.filter((id, index) => ids.indexOf(id) < index).forEach((id) => byId.delete(id))
    }

    return byId
  }

  /** How many users have an id of this text, of whatever type; counted up to a limit. */
  countUpTo(limit: number, userId: string): Promise<number> {
    return this.#run((users) => users.countDocuments(this.is(userId), { ...newest, limit }))
  }

  /** The sessions of many users, and whether they are disabled, by user id. */
  async readMany(userIds: string[]): Promise<Map<string, SessionsOfUser>> {
    const { idField } = this.#options
    const projection = { [idField]: 1, disabled: 1, [this.field]: 1 }
    const found = await this.#runSettled((users, options) =>
      users.find(this.#among(userIds), { ...options, projection }).toArray()
    )

    return new Map(
      [...this.#byId(found)].map(([userId, user]) => [
        userId,
        { isDisabled: Boolean(user.disabled), sessions: this.sessionsOf(user) }
      ])
    )
  }

  async find(filter: OwnerFilter, options: FindOptions = {}): Promise<SessionOwner | null> {
    return this.#run((users) => users.findOne(filter, { ...newest, ...options }))
  }

  /** One atomic update, acknowledged by the majority (a transaction is, as a whole); null when nothing matched. */
  async update(
    filter: OwnerFilter,
    update: Document | Document[],
    options: FindOneAndUpdateOptions
  ): Promise<SessionOwner | null> {
    // The driver's type does not allow "sessions.$.used"
    const typed = update as UpdateFilter<SessionOwner>

    return this.#run((users) =>
      users.findOneAndUpdate(filter, typed, { ...(options.session ? {} : durable), ...options })
    )
  }

  /**
   * Many updates of one document each, in one command, acknowledged by the majority. What fails of them fails alone.
   *
   * @returns How many documents matched, as far as is known
   */
  updateEach(statements: { filter: OwnerFilter; update: Document }[]): Promise<number> {
    const operations = statements.map((updateOne) => ({ updateOne }))

    return this.#run((users) =>
      users.db.client.withSession((session) =>
        users
          .bulkWrite(operations, { ...durable, ordered: false, maxTimeMS: longestBatch, session })
          .then(({ matchedCount }) => matchedCount, matchedBeside)
          // What is read afterwards holds what was written
          .finally(() => this.heard(session.operationTime))
      )
    )
  }

  /** The ids of those users who have a session with that mark among its keys, as the majority has it. */
  async withMark(userIds: string[], mark: string): Promise<Set<string>> {
    const { idField } = this.#options
    const found = await this.#runSettled((users, options) =>
      users
        .find(
          { ...this.#among(userIds), [`${this.field}.keys`]: mark },
          { ...options, projection: { [idField]: 1 } }
        )
        .toArray()
    )

    return new Set(found.map((user) => String(user[idField])))
  }

  /**
   * Reads what the majority has, including every change heard so far: right after a failover, the new primary may not
   * know yet that the majority has a change which the old one announced.
   */
  #runSettled<T>(read: (users: Collection<SessionOwner>, options: FindOptions) => Promise<T>): Promise<T> {
    const heard = this.#heard

    return this.#run((users) =>
      heard
        ? users.db.client.withSession((session) => {
            session.advanceOperationTime(heard)
            return read(users, { ...settled, session })
          })
        : read(users, settled)
    )
  }

  #run<T>(operation: (users: Collection<SessionOwner>) => Promise<T>): Promise<T> {
    return reach(async () => operation(await this.#options.collection()))
  }
}

/** How many documents the other statements matched. @throws the error, unless it is of a few statements alone */
function matchedBeside(error: MongoBulkWriteError): number {
  if ([error.writeErrors].flat().some(Boolean) || error.code === exceededTimeLimit) {
    return error.matchedCount
  }

  throw error
}

/** The live ones, newest first. */
export const liveOf = (sessions: SessionRecord[] = [], now: number): SessionRecord[] =>
  sessions.filter((session) => !isExpired(session, now)).sort(byAge)

function byAge(a: SessionRecord, b: SessionRecord): number {
  return b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1)
}
