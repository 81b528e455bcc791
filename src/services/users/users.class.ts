import { Conflict, NotFound } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import {
  MongoDBService,
  type AdapterId,
  type MongoDBAdapterOptions,
  type MongoDBAdapterParams
} from '@feathersjs/mongodb'
import type { Document, WithId } from 'mongodb'
import type { Application } from '../../declarations.js'
import { caseInsensitive } from '../../mongodb.js'
import type { SessionStore } from '../../refresh-token/index.js'
import type { User, UserData, UserPatch, UserQuery } from './users.schema.js'

export interface UserParams extends MongoDBAdapterParams<UserQuery>, Omit<Params, 'query'> {
  /** What the stored user has to have still when it is changed: the password that was verified. */
  unchanged?: Document
}

const hidden = { password: 0, sessions: 0, identities: 0 }

/** The index on email is of this collation. */
const collated = (params: UserParams): UserParams => ({
  ...params,
  mongodb: { collation: caseInsensitive, ...params.mongodb }
})

/** Users without their passwords and sessions: those are not even read. */
export class UserService extends MongoDBService<User, UserData, UserParams, UserPatch> {
  private readonly sessions: SessionStore

  constructor(options: MongoDBAdapterOptions, sessions: SessionStore) {
    super(options)
    this.sessions = sessions
  }

  override getProjection(select?: string[] | { [key: string]: number }) {
    return super.getProjection(select) ?? hidden
  }

  override async findRaw(params: UserParams) {
    const cursor = await super.findRaw(collated(params))

    return params.query?.$select ? cursor : cursor.project<WithId<Document>>(hidden)
  }

  /** The `total` of what `findRaw` finds. */
  override countDocuments(params: UserParams) {
    return super.countDocuments(collated(params))
  }

  /** A new password or a disabled account ends sessions, in the same atomic update. */
  override async patch(id: null, data: UserPatch, params?: UserParams): Promise<User[]>
  override async patch(id: AdapterId, data: UserPatch, params?: UserParams): Promise<User>
  override async patch(
    id: AdapterId | null,
    data: UserPatch,
    params: UserParams = {}
  ): Promise<User | User[]> {
    const { unchanged } = params
    const query = { ...params.query, ...unchanged }
    const reason = data.disabled ? 'disabled' : data.password === undefined ? undefined : 'password'

    try {
      return reason && id !== null
        ? await this.patchAndEndSessions(id, data, reason, { ...params, query })
        : await super.patch(id as AdapterId, data, unchanged ? { ...params, query } : params)
    } catch (error) {
      throw unchanged && error instanceof NotFound
        ? new Conflict('The password has been changed meanwhile')
        : error
    }
  }

  private async patchAndEndSessions(
    id: AdapterId,
    data: UserPatch,
    reason: 'disabled' | 'password',
    params: UserParams
  ): Promise<User> {
    const { query, filters } = this.filterQuery(id, params)
    const ended = await this.sessions.endAll(String(this.getObjectId(id)), reason, {
      except: reason === 'password' ? params.session?.id : undefined,
      set: data,
      unchanged: query,
      by: actor(params)
    })

    if (!ended) {
      throw notFound(id)
    }

    return this._get(id, { ...params, query: { $select: filters.$select } as UserQuery })
  }

  /** The sessions go with the user, and are said to have ended. */
  override async remove(id: null, params?: UserParams): Promise<User[]>
  override async remove(id: AdapterId, params?: UserParams): Promise<User>
  override async remove(id: AdapterId | null, params: UserParams = {}): Promise<User | User[]> {
    if (id === null) {
      return super.remove(id, params)
    }

    const users = await this.getModel(params)
    const user = await users.findOneAndDelete(this.filterQuery(id, params).query)

    if (!user) {
      throw notFound(id)
    }

    const { password: _password, sessions, ...rest } = user

    this.sessions.announceEnded(String(user._id), sessions, 'deleted', actor(params))
    return rest as User
  }
}

/** The id of whoever is signed in. */
const actor = ({ user }: UserParams): string | undefined => user && String(user._id)

const notFound = (id: AdapterId) => new NotFound(`No record found for id '${String(id)}'`)

export const getOptions = (app: Application): MongoDBAdapterOptions => ({
  paginate: app.get('paginate'),
  Model: app.get('database').collection('users')
})
