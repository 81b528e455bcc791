import { AuthenticationService as FeathersAuthenticationService } from '@feathersjs/authentication'
import type { Application, Params } from '@feathersjs/feathers'
import type { MongoDBService } from '@feathersjs/mongodb'
import { getDispatchValue, setDispatch } from '@feathersjs/schema'
import type { Collection, Document } from 'mongodb'
import { Refused } from './errors.js'
import { knownEntity } from './hooks/entity.js'
import { UserDocuments, type OwnerFilter, type SessionOwner } from './user-documents.js'

const sessionsField = 'sessions'

/** The part of the authentication service that is about who signs in: the entity, as it is stored and as it is shown. */
export class EntityAuthentication extends FeathersAuthenticationService {
  protected readonly users: UserDocuments
  // Which password hash an entity had that a strategy answered: its session opens only while it still has it
  private readonly passwords = new WeakMap<object, unknown>()

  constructor(app: Application, configKey: string) {
    super(app, configKey)

    this.users = new UserDocuments({
      idField: this.idField,
      passwordField: this.passwordField,
      collection: this.collection,
      toId: (sub) => this.entities.getObjectId(sub)
    })
  }

  /** Where the entities are, as soon as there is a service of them. */
  protected readonly collection = (): Promise<Collection> => this.entities.getModel()

  private get entities(): MongoDBService {
    return this.app.service(this.configuration.service!) as unknown as MongoDBService
  }

  protected get idField(): string {
    return this.configuration.entityId ?? '_id'
  }

  // The stored name of what the local strategy calls password, also where there is no local strategy
  private get passwordField(): string {
    const { local } = this.configuration

    return local?.entityPasswordField ?? local?.passwordField ?? 'password'
  }

  /**
   * The stored entity that matches, all of it but its sessions: for a strategy to verify, and to answer by
   * `presentEntity`. From the collection itself: the entity service hides the password, say.
   *
   * @throws Refused `disabled`; Unavailable without a database
   */
  async findEntity(filter: Document): Promise<SessionOwner | null> {
    const entity = await this.users.find(filter, { projection: { [sessionsField]: 0 } })

    if (entity?.disabled) {
      throw new Refused('disabled')
    }

    return entity
  }

  /**
   * The entity that a strategy answers with, made from the stored document: without its sessions and password. What
   * of it the outside may see is asked of the entity service, as Feathers' own strategies do.
   *
   * @param views What was shown of this document already, by the kind of transport
   */
  async presentEntity(
    document: SessionOwner,
    params: Params,
    views = new Map<string, Document>()
  ): Promise<Document> {
    const entity = this.withoutSecrets(document)
    const { provider } = params

    if (provider) {
      const view = views.get(provider) ?? (await this.shown(document, entity, params))

      views.set(provider, view)
      setDispatch(entity, view)
    }

    this.passwords.set(entity, document[this.passwordField])
    return entity
  }

  private async shown(document: SessionOwner, entity: Document, params: Params): Promise<Document> {
    const { entity: name } = this.configuration
    const known = { ...params, query: {}, [name!]: entity, [knownEntity]: { ...entity } }
    const result = await this.entities.get(document[this.idField], known)

    return this.withoutSecrets(getDispatchValue(result))
  }

  /** What has to be the same still when the session of a login opens: nobody signs in with a password just replaced. */
  unchangedSince(entity: object): OwnerFilter {
    // Feathers' own strategies answer the document as it is stored
    const password = this.passwords.get(entity) ?? (entity as Document)[this.passwordField]

    return password === undefined ? {} : { [this.passwordField]: password }
  }

  private withoutSecrets(document: Document): Document {
    const { [sessionsField]: _sessions, [this.passwordField]: _password, ...shown } = document

    return shown
  }
}
