import type { AuthenticationService as FeathersAuthenticationService } from '@feathersjs/authentication'
import type { HookContext, Id, NextFunction, Params, Query } from '@feathersjs/feathers'
import { getDispatch } from '@feathersjs/schema'
import { ObjectId, UUID, type Collection, type Document } from 'mongodb'
import { ConfigurationError, Refused } from '../errors.js'
import { copyOf, isPlain, withView } from '../sessions/copy.js'
import { Users, type OwnerFilter, type SessionOwner } from '../sessions/users.js'
import {
  collectionOf,
  hasCollection,
  isEntity,
  readDocument,
  type EntityParams,
  type EntityService
} from './entity-service.js'
import { valueAt, without } from './paths.js'

/** What is known of an entity that was made of a stored document. */
interface Origin {
  userId: string
  /** The password's hash, if it was read: the session opens only while the user still has it. */
  password?: unknown
}

interface GetOptions {
  /** The conditions of the call inside. */
  query: Query
  service: Pick<EntityService, 'get'>
  /** Whether the service gives what follows from the document alone, which then does for the first answer. */
  isPure: boolean
}

/** The entity of the authentication service: how it is found in the database, and what is shown of it. */
export class Entity {
  readonly users: Users
  readonly #service: FeathersAuthenticationService
  readonly #sessionsField: string
  readonly #hiddenFields: readonly string[]
  readonly #origins = new WeakMap<object, Origin>()
  readonly #given = new WeakSet<object>()

  /** @param hidden Names of fields that nobody is shown, besides sessions and password */
  constructor(service: FeathersAuthenticationService, sessionsField: string, hidden: readonly string[]) {
    const idField = () => this.idField
    const passwordField = () => this.#passwordField

    this.#service = service
    this.#sessionsField = sessionsField
    this.#hiddenFields = [sessionsField, ...hidden]
    this.users = new Users({
      // Known as soon as the entity service is registered
      get idField() {
        return idField()
      },
      get passwordField() {
        return passwordField()
      },
      sessionsField,
      collection: this.collection,
      toIds: (sub) => this.#toIds(sub)
    })
  }

  /** The collection of the entities, as soon as their service is registered. */
  readonly collection = (): Promise<Collection> => collectionOf(this.service)

  get idField(): string {
    return this.#service.configuration.entityId ?? this.service.id ?? '_id'
  }

  /** The entity service of the settings. */
  get service(): EntityService {
    const { app, configuration } = this.#service

    return app.service(configuration.service!)
  }

  // The stored name of what the local strategy calls password, also without a local strategy
  get #passwordField(): string {
    const { local } = this.#service.configuration

    return local?.entityPasswordField ?? local?.passwordField ?? 'password'
  }

  /**
   * Finds a stored entity, without its sessions. Read from the collection, since the entity service hides the password.
   *
   * @throws Refused `disabled`; Unavailable without a database
   */
  async find(filter: Document): Promise<SessionOwner | null> {
    const entity = await this.users.find(filter, { projection: { [this.#sessionsField]: 0 } })

    if (entity?.disabled) {
      throw new Refused('disabled')
    }

    return entity
  }

  /**
   * The entity as its service gives it. As in Feathers, a call of a client asks twice: inside, and then outside with the
   * entity in `params`.
   *
   * @param params With the document, if it was just read, as `readDocument`
   * @throws Refused `revoked` when the service does not give it
   */
  async get(id: Id, params: EntityParams, { query, service, isPure }: GetOptions): Promise<Document> {
    const { provider, [readDocument]: read, ...inside } = params
    const entity =
      provider && isPure && read
        ? this.withoutSecrets(read())
        : await this.#ask(service, id, { ...inside, query, [readDocument]: once(read) })

    if (!provider) {
      return entity!
    }

    return this.#ask(service, id, {
      ...params,
      ...(isPure && { query: {} }),
      [this.#name]: entity,
      [readDocument]: once(read)
    })
  }

  /**
   * The entity that a strategy answers, made from the stored document. As with Feathers' local strategy, its service is
   * asked with the entity in `params`.
   */
  async present(document: SessionOwner, params: Params): Promise<Document> {
    const user = this.withoutSecrets(document)
    const asked = {
      ...params,
      query: {},
      [this.#name]: copyOf(user),
      [readDocument]: once(() => copyOf(user))
    }
    const entity = await this.#ask(this.service, document[this.idField], asked)

    this.#origins.set(entity, {
      userId: String(document[this.idField]),
      password: valueAt(document, this.#passwordField)
    })
    return entity
  }

  /**
   * Around `get`: Feathers' local strategy verifies a password, and then reads the user again, who may have another
   * password by then.
   */
  readonly keepVerified = async (context: HookContext, next: NextFunction) => {
    await next()

    const { id, params, result } = context
    const password = valueAt(params[this.#name as never], this.#passwordField)

    if (password !== undefined && isEntity(result)) {
      this.#origins.set(result, { userId: String(id), password })
    }
  }

  async #ask(service: Pick<EntityService, 'get'>, id: Id, params: EntityParams): Promise<Document> {
    return this.given(id, service.get(id, params))
  }

  /** What the service, or an override of `getEntity`, gives for a user. @throws Refused `revoked` when that is nobody */
  async given(id: Id, asked: Promise<unknown>): Promise<Document> {
    const result = await asked.catch((error: unknown) => {
      throw (error as { code?: unknown }).code === 404 ? new Refused('revoked') : error
    })

    if (!isEntity(result)) {
      throw new Refused('revoked')
    }

    return this.#given.has(result) ? result : this.recall(id, this.withoutSecrets(result))
  }

  /** An entity that was given before. */
  recall(id: Id, entity: Document): Document {
    this.#given.add(entity)
    this.#origins.set(entity, { userId: String(id) })
    return entity
  }

  /** The id of a user, given as the entity or by its id, as in tokens; undefined for an entity without. */
  idOf(user: Id | Document): string | undefined {
    const isId = !isEntity(user) || '_bsontype' in user
    const id = (isId ? user : (this.#origins.get(user)?.userId ?? user[this.idField])) as Id | undefined

    return id === undefined ? undefined : String(id)
  }

  /** Whether there is a document of that entity, whose sessions can be stored. */
  async isStored(entity: Document): Promise<boolean> {
    const userId = this.idOf(entity)

    return (
      this.#origins.has(entity) ||
      (userId !== undefined &&
        (await this.users.find(this.users.is(userId), { projection: { _id: 1 } })) !== null)
    )
  }

  /** The password's hash of a stored document. */
  passwordOf(document: Document): unknown {
    return valueAt(document, this.#passwordField)
  }

  /** Matches the entity while its password is the one that was verified. */
  unchangedSince(entity: Document): OwnerFilter {
    // Feathers' own strategies answer the stored document
    const password = this.#origins.get(entity)?.password ?? valueAt(entity, this.#passwordField)

    return password === undefined ? {} : { [this.#passwordField]: password }
  }

  get #name(): string {
    return this.#service.configuration.entity!
  }

  /** Whether the entity service looks users up by ids of this type. */
  accepts(id: Id): boolean {
    try {
      this.service.filterQuery?.(id, {})
      return true
    } catch {
      return false
    }
  }

  /** @throws ConfigurationError for an entity service without a collection */
  requireCollection(): void {
    if (!hasCollection(this.service)) {
      const { configKey, configuration } = this.#service

      throw new ConfigurationError(
        `${configKey}.service is "${configuration.service}", a service without a collection of MongoDB: ` +
          'give its class a method getModel that returns the collection, or the model of Mongoose'
      )
    }
  }

  /** What the id field may hold for the id in a token, which is text there. */
  #toIds(sub: string): unknown[] {
    const id = this.service.getObjectId?.(sub) ?? sub

    return id === sub ? [sub, ...otherTypes(sub)] : [id]
  }

  /** A copy without sessions and password. An instance of a class is what it is. */
  withoutSecrets<T>(entity: T): T {
    if (!isPlain(entity)) {
      return entity
    }

    const shown = [...this.#hiddenFields, this.#passwordField].reduce<Document>(without, entity)

    return withView(shown, this.withoutSecrets(getDispatch(entity))) as T
  }
}

/** The ids of other types whose text this is. */
const otherTypes = (text: string): unknown[] => [
  ...(String(Number(text)) === text ? [Number(text)] : []),
  ...(/^[\da-f]{24}$/.test(text) ? [new ObjectId(text)] : []),
  ...(UUID.isValid(text) ? [new UUID(text)] : [])
]

/** A hook that changes the user and reads it again must not get the document of before. */
function once<T>(read: (() => T) | undefined): () => T | undefined {
  let unread = read

  return () => {
    const now = unread

    unread = undefined
    return now?.()
  }
}
