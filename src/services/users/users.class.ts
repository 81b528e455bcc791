import { Conflict, NotFound } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import {
  MongoDBService,
  type AdapterId,
  type MongoDBAdapterOptions,
  type MongoDBAdapterParams
} from '@feathersjs/mongodb'
import type { ClientSession, Document, ObjectId, WithId } from 'mongodb'
import type { Application } from '../../declarations.js'
import type { Database } from '../../database/database.js'
import { caseInsensitive } from '../../database/indexes.js'
import { hiddenFields } from '../../accounts/internal.js'
import type { SessionStore } from '../../refresh-token/index.js'
import type { Caller } from './rights.js'
import type { User, UserData, UserPatch, UserQuery } from './users.schema.js'

export interface UserParams extends MongoDBAdapterParams<UserQuery>, Omit<Params, 'query'> {
  /** Conditions that the stored user must still meet when it is changed: the password that was verified. */
  unchanged?: Document
  /** Who makes the change, if a client does. */
  caller?: Caller
}

/** With the collation of the index on email. */
const collated = (params: UserParams): UserParams => ({
  ...params,
  mongodb: { collation: caseInsensitive, ...params.mongodb }
})

/** Users without passwords and sessions, which aren't even read from the database. */
export class UserService extends MongoDBService<User, UserData, UserParams, UserPatch> {
  private readonly sessions: SessionStore
  private readonly database: Database
  private readonly sessionsField: string
  private readonly hidden: Record<string, 0>

  /** @param sessionsField The field of the documents that holds the sessions */
  constructor(
    options: MongoDBAdapterOptions,
    sessions: SessionStore,
    database: Database,
    sessionsField: string
  ) {
    super(options)
    this.sessions = sessions
    this.database = database
    this.sessionsField = sessionsField
    this.hidden = {
      password: 0,
      sessions: 0,
      [sessionsField]: 0,
      identities: 0,
      ...Object.fromEntries(hiddenFields.map((field) => [field, 0] as const))
    }
  }

  override getProjection(select?: string[] | { [key: string]: number }) {
    return super.getProjection(select) ?? this.hidden
  }

  override async findRaw(params: UserParams) {
    const cursor = await super.findRaw(collated(params))

    return params.query?.$select ? cursor : cursor.project<WithId<Document>>(this.hidden)
  }

  /** The `total` of `findRaw`. */
  override countDocuments(params: UserParams) {
    return super.countDocuments(collated(params))
  }

  /** Setting a password or disabling an account ends sessions, in the same atomic update. */
  override async patch(id: null, data: UserPatch, params?: UserParams): Promise<User[]>
  override async patch(id: AdapterId, data: UserPatch, params?: UserParams): Promise<User>
  override async patch(
    id: AdapterId | null,
    data: UserPatch,
    params: UserParams = {}
  ): Promise<User | User[]> {
    return id === null && this.allowsMulti('patch', params)
      ? this.forEach(params, (each) => this.patchOne(each, data, params))
      : this.patchOne(id as AdapterId, data, params)
  }

  private async patchOne(id: AdapterId, data: UserPatch, params: UserParams): Promise<User> {
    const reason = data.disabled ? 'disabled' : data.password === undefined ? undefined : 'password'

    if (id === null || (!reason && !params.caller)) {
      return super.patch(id, data, params)
    }

    const { query, filters } = this.filterQuery(id, this.conditional(id, params))
    const changed = reason
      ? await this.sessions.endAll(String(this.getObjectId(id)), reason, {
          except: reason === 'password' ? params.session?.id : undefined,
          update: toUpdate(data),
          unchanged: query,
          by: actor(params),
          within: (update) => this.within(id, params, update)
        })
      : await this.within(id, params, async (session) => {
          const users = await this.getModel(params)

          return users.findOneAndUpdate(query, toUpdate(data), { ...(session && { session }) })
        })

    if (!changed) {
      await params.caller?.recheck()
      throw params.unchanged ? new Conflict('The password has been changed meanwhile') : notFound(id)
    }

    return this._get(id, { ...params, query: { $select: filters.$select } as UserQuery })
  }

  /** Removes the user with all sessions, and announces the end of these. */
  override async remove(id: null, params?: UserParams): Promise<User[]>
  override async remove(id: AdapterId, params?: UserParams): Promise<User>
  override async remove(id: AdapterId | null, params: UserParams = {}): Promise<User | User[]> {
    if (id === null) {
      return this.allowsMulti('remove', params)
        ? this.forEach(params, (each) => this.removeOne(each, params))
        : super.remove(id, params)
    }

    return this.removeOne(id, params)
  }

  private async removeOne(id: AdapterId, params: UserParams): Promise<User> {
    const { query } = this.filterQuery(id, this.conditional(id, params))
    const users = await this.getModel(params)
    const user = await this.within(id, params, (session) =>
      users.findOneAndDelete(query, { ...(session && { session }) })
    )

    if (!user) {
      await params.caller?.recheck()
      throw notFound(id)
    }

    const { password: _password, [this.sessionsField]: sessions, ...rest } = user

    this.sessions.announceEnded(String(user._id), sessions, 'deleted', actor(params))
    return rest as unknown as User
  }

  /** Changes the users that a query finds, one by one: the sessions of each end with the change. */
  private async forEach(params: UserParams, change: (id: AdapterId) => Promise<User>): Promise<User[]> {
    const found = await this._find({
      ...params,
      paginate: false,
      query: { ...params.query, $select: ['_id'] }
    })

    return Promise.all(found.map(({ _id }) => change(_id)))
  }

  /**
   * Writes to another user in a transaction that also writes to the caller's document. So a change of the caller's
   * rights comes either before the transaction, which then fails, or after it.
   */
  private async within<T>(
    id: AdapterId,
    { caller }: UserParams,
    write: (session?: ClientSession) => Promise<T>
  ): Promise<T> {
    if (!caller || this.isOwn(id, caller)) {
      return write()
    }

    return this.database.transaction(async (session) => {
      const users = await this.getModel()
      const { matchedCount } = await users.updateOne(
        { _id: this.getObjectId(caller.id) as ObjectId, ...caller.filter },
        { $inc: { [`${this.sessionsField}.$[own].writes`]: 1 } },
        { arrayFilters: [{ 'own.id': caller.sessionId }], ...(session && { session }) }
      )

      if (matchedCount === 0) {
        await caller.recheck()
        throw notFound(id)
      }

      const written = await write(session)

      // Nothing was written, so the transaction is rolled back
      if (!written) {
        await session?.abortTransaction()
      }

      return written
    })
  }

  /** Adds the conditions that the user must meet when it is written. */
  private conditional(id: AdapterId, params: UserParams): UserParams {
    const { query, unchanged = {}, caller } = params
    const conditions = [unchanged, this.isOwn(id, caller) ? caller!.filter : {}]

    return { ...params, query: { ...query, $and: [...(query?.$and ?? []), ...conditions] } }
  }

  private isOwn(id: AdapterId, caller: Caller | undefined): boolean {
    return caller?.id === String(this.getObjectId(id))
  }
}

/** The update for a patch, in which server code may use operators. */
function toUpdate(data: UserPatch): Document {
  const [operators, fields] = [true, false].map((isOperator) =>
    Object.fromEntries(Object.entries(data).filter(([name]) => name.startsWith('$') === isOperator))
  )

  return { ...operators, $set: fields }
}

/** The id of the signed-in user. */
const actor = ({ user }: UserParams): string | undefined => user && String(user._id)

const notFound = (id: AdapterId) => new NotFound(`No record found for id '${String(id)}'`)

export const getOptions = (app: Application): MongoDBAdapterOptions => ({
  paginate: app.get('paginate'),
  Model: app.get('database').collection('users')
})
