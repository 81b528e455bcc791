import type {
  AuthenticationService as FeathersAuthenticationService,
  AuthenticationStrategy
} from '@feathersjs/authentication'
import type { HookContext, Id, NextFunction, Params, Query } from '@feathersjs/feathers'
import { getDispatch } from '@feathersjs/schema'
import { ObjectId, UUID, type Collection, type Document } from 'mongodb'
import { ConfigurationError, Refused } from '../errors.js'
import { copyOf, isCopyable, isPlain, withView } from '../sessions/copy.js'
import { Users, type OwnerFilter, type SessionOwner } from '../sessions/users.js'
import {
  collectionOf,
  foundUser,
  hasCollection,
  isEntity,
  readDocument,
  type EntityParams,
  type EntityService
} from './entity-service.js'
import { valueAt, without } from './paths.js'

/** The stored document that an entity was made from. */
interface Origin {
  userId: string
  /** The hashes of passwords by field, if they were read: the session opens only while the user still has them. */
  passwords?: Document
}

/** What is used of Feathers' local strategy, under whatever name it is registered. */
type WithPassword = AuthenticationStrategy & { configuration: Document }

interface GetOptions {
  /** The conditions of the call inside. */
  query: Query
  service: Pick<EntityService, 'get'>
  /** Whether what the service gives depends on the document only. */
  isPure: boolean
}

/** How the entity of the authentication service is found in the database, and what is shown of it. */
export class Entity {
  readonly users: Users
  readonly #service: FeathersAuthenticationService
  readonly #sessionsField: string
  readonly #hiddenFields: readonly string[]
  readonly #origins = new WeakMap<object, Origin>()
  readonly #given = new WeakSet<object>()
  #passwords?: { from: unknown; strategies: number; fields: readonly string[] }

  /** @param hidden Names of fields that nobody is shown, besides sessions and password */
  constructor(service: FeathersAuthenticationService, sessionsField: string, hidden: readonly string[]) {
    const idField = () => this.idField
    const passwordFields = () => this.#passwordFields

    this.#service = service
    this.#sessionsField = sessionsField
    this.#hiddenFields = [sessionsField, ...hidden]
    this.users = new Users({
      // Known as soon as the entity service is registered
      get idField() {
        return idField()
      },
      get passwordFields() {
        return passwordFields()
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

  // As the strategies with a password name theirs, and the settings, even if there is no local strategy
  get #passwordFields(): readonly string[] {
    const { app, configKey } = this.#service
    const strategies = Object.values(this.#service.strategies)
    const from: unknown = app.get(configKey)
    let known = this.#passwords

    if (!known || known.from !== from || known.strategies !== strategies.length) {
      const { local = {} } = this.#service.configuration as Document
      const settings = strategies
        .filter((strategy): strategy is WithPassword => 'comparePassword' in strategy)
        .map(({ configuration }) => configuration)
      const fields = [local as Document, ...settings].map(
        ({ passwordField = 'password', entityPasswordField = passwordField }) => entityPasswordField as string
      )

      known = { from, strategies: strategies.length, fields: [...new Set(fields)] }
      this.#passwords = known
    }

    return known.fields
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
   * The entity as its service gives it. As in Feathers, a call of a client asks the service twice: internally, and then
   * as a client with the entity in `params`.
   *
   * @param params With the user as `foundUser`, if it was just found
   * @throws Refused `revoked` when the service does not give it
   */
  async get(id: Id, params: EntityParams, options: GetOptions): Promise<Document> {
    const { query, service } = options
    const { provider, [foundUser]: found, ...inside } = params
    // An override of `getEntity` may ask for another user
    const own = found?.id === id ? found : undefined
    const isPure = options.isPure && service === this.service && Object.keys(query).length === 0
    const pure = isPure ? own : undefined
    const ask = () => this.#ask(service, id, { ...inside, query, ...reading(own?.read) })

    if (!provider) {
      return pure?.kept ? this.#recalled(id, pure.kept, ask) : ask()
    }

    // What clients see is made anew each time
    return this.#ask(service, id, {
      ...params,
      ...(isPure && { query: {} }),
      [this.#name]: pure ? this.withoutSecrets(pure.read()) : await ask(),
      [foundUser]: undefined,
      ...reading(own?.read)
    })
  }

  /** What the service gave before, or gives now. */
  async #recalled(id: Id, kept: { entity?: Document }, ask: () => Promise<Document>): Promise<Document> {
    if (kept.entity) {
      return this.recall(id, copyOf(kept.entity))
    }

    const entity = await ask()

    if (isCopyable(entity)) {
      kept.entity = copyOf(entity)
    }

    return entity
  }

  /**
   * The id of a user as its service reads it. Tokens have only its text, which is not an id of the adapter if the stored
   * one is a number, say.
   */
  ownId(id: Id, read: () => SessionOwner): Id {
    if (this.#toIds(String(id)).length === 1) {
      return id
    }

    const stored = read()[this.idField] as Id

    return this.accepts(stored) ? stored : id
  }

  /**
   * The entity that a strategy answers, made from the stored document. As in Feathers' local strategy, the service is
   * asked with the entity in `params`.
   */
  async present(document: SessionOwner, params: Params): Promise<Document> {
    const user = this.withoutSecrets(document)
    const asked = {
      ...params,
      query: {},
      [this.#name]: copyOf(user),
      ...reading(() => copyOf(user))
    }
    const entity = await this.#ask(this.service, document[this.idField], asked)

    this.#origins.set(entity, {
      userId: String(document[this.idField]),
      passwords: this.#passwordsIn(document)
    })
    return entity
  }

  /**
   * Around `get`: remembers the password that Feathers' local strategy verified. It reads the user again afterwards,
   * and the password may have changed by then.
   */
  readonly keepVerified = async (context: HookContext, next: NextFunction) => {
    await next()

    const { id, params, result } = context
    const verified: unknown = params[this.#name as never]
    const passwords = isEntity(verified) ? this.#passwordsIn(verified) : {}

    if (Object.keys(passwords).length > 0 && isEntity(result)) {
      this.#origins.set(result, { userId: String(id), passwords })
    }
  }

  async #ask(service: Pick<EntityService, 'get'>, id: Id, params: EntityParams): Promise<Document> {
    return this.given(id, service.get(id, params))
  }

  /** Awaits what the service, or an override of `getEntity`, gives for a user. @throws Refused `revoked` if nothing */
  async given(id: Id, asked: Promise<unknown>): Promise<Document> {
    const result = await asked.catch((error: unknown) => {
      throw (error as { code?: unknown }).code === 404 ? new Refused('revoked') : error
    })

    if (!isEntity(result)) {
      throw new Refused('revoked')
    }

    return this.#given.has(result) ? result : this.recall(id, this.withoutSecrets(result))
  }

  /** An entity that the service gave before. */
  recall(id: Id, entity: Document): Document {
    this.#given.add(entity)
    this.#origins.set(entity, { userId: String(id) })
    return entity
  }

  /** The id of a user as it is in tokens; undefined for an entity without one. */
  idOf(user: Id | Document): string | undefined {
    const isId = !isEntity(user) || '_bsontype' in user
    const id = (isId ? user : (this.#origins.get(user)?.userId ?? user[this.idField])) as Id | undefined

    return id === undefined ? undefined : String(id)
  }

  /**
   * Whether the entity has a stored document, in which its sessions can be stored.
   *
   * @throws Error when several users have its id: 9 and "9" are the same in tokens
   */
  async isStored(entity: Document): Promise<boolean> {
    const userId = this.idOf(entity)

    if (userId === undefined) {
      return false
    }
    if (this.#origins.has(entity) && this.#toIds(userId).length === 1) {
      return true
    }

    const users = await this.users.countUpTo(2, userId)

    if (users > 1) {
      throw new Error(
        `Two users have ids that are both written "${userId}", of different types: give one of them another id`
      )
    }

    return users > 0
  }

  /** The passwords' hashes of a stored document; undefined for a password that it has not. */
  passwordsOf(document: Document): (string | undefined)[] {
    return this.#passwordFields.map((field) => valueAt(document, field) as string | undefined)
  }

  #passwordsIn(document: Document): Document {
    const passwords = this.#passwordFields.map((field) => [field, valueAt(document, field)] as const)

    return Object.fromEntries(passwords.filter(([, password]) => password !== undefined))
  }

  /** Matches the entity while its passwords are those that it had when one was verified. */
  unchangedSince(entity: Document): OwnerFilter {
    // Feathers' own strategies answer the stored document
    return { ...this.#passwordsIn(entity), ...this.#origins.get(entity)?.passwords }
  }

  get #name(): string {
    return this.#service.configuration.entity!
  }

  /** Whether the entity service accepts ids of this type. */
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

  /** The values that the id field may have for an id in a token, which is always text. */
  #toIds(sub: string): unknown[] {
    const id = this.service.getObjectId?.(sub) ?? sub

    return id === sub ? [sub, ...otherTypes(sub)] : [id]
  }

  /** A copy without sessions and password. Instances of a class are returned unchanged. */
  withoutSecrets<T>(entity: T): T {
    if (!isPlain(entity)) {
      return entity
    }

    const shown = [...this.#hiddenFields, ...this.#passwordFields].reduce<Document>(without, entity)

    return withView(shown, this.withoutSecrets(getDispatch(entity))) as T
  }
}

/** The ids of other types that are written as this text. */
const otherTypes = (text: string): unknown[] => [
  ...(String(Number(text)) === text ? [Number(text)] : []),
  ...(/^[\da-f]{24}$/.test(text) ? [new ObjectId(text)] : []),
  ...(UUID.isValid(text) ? [new UUID(text)] : [])
]

/** Params with the document, once: a hook that changes the user and reads it again must not get the old one. */
function reading(read: (() => SessionOwner) | undefined): EntityParams {
  let unread = read

  return {
    [readDocument]: () => {
      const now = unread

      unread = undefined
      return now?.()
    }
  }
}
