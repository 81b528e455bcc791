import type { Application, Id, Params, Query } from '@feathersjs/feathers'
import type { Collection, Document } from 'mongodb'
import type { SessionOwner } from '../sessions/users.js'

/** The document of a user that was just read: an adapter answers it once instead of reading it again. */
export const readDocument = Symbol('read document')

/** Params of a call of the entity service, with the document that it is about. */
export interface EntityParams extends Params {
  [readDocument]?: (() => SessionOwner | undefined) | undefined
}

/** What is asked of the entity service. Only a Feathers adapter for MongoDB has all of it. */
export interface EntityService {
  id?: string
  get(id: Id, params?: EntityParams): Promise<Document>
  hooks(hooks: object): unknown
  getModel?(params?: EntityParams): unknown
  getObjectId?(id: string): unknown
  filterQuery?(id: Id, params: EntityParams): unknown
  /** Of Mongoose. */
  Model?: unknown
}

/** The inside of `MongoDBService`, which answers `get` through `_get`. */
interface Adapter extends EntityService {
  getModel(params?: EntityParams): unknown
  _get: (id: Id, params?: EntityParams) => Promise<Document>
  filterQuery(id: Id, params: EntityParams): { query: Query; filters: Query }
  getProjection(select?: unknown): Record<string, unknown> | undefined
}

/** Calls back with the service of that path, whether it is registered already or later. */
export function whenRegistered(app: Application, path: string, use: (service: EntityService) => void): void {
  const wanted = path.replace(/^\/+|\/+$/g, '')
  const known = new WeakSet<object>()
  const meet = (service: unknown) => {
    if (!known.has(service as object)) {
      known.add(service as object)
      use(service as EntityService)
    }
  }

  if (Object.hasOwn(app.services, wanted)) {
    meet(app.services[wanted as never])
  }

  app.mixins.push((service, location) => {
    if (location === wanted) {
      meet(service)
    }
  })
}

/**
 * Answers the innermost read of `get` with the document in `params`. Hooks and resolvers run as usual, and whatever else
 * the service asks of the database is asked: a condition, a projection, another collection.
 */
export function answerReadDocument(service: EntityService, idField: () => string): void {
  if (!isAdapter(service)) {
    return
  }

  const read = service._get

  service._get = async function (this: Adapter, id: Id, params: EntityParams = {}) {
    const document = params[readDocument]?.()

    return (
      (document && (await answered(this, id, params, document, idField()))) ?? read.call(this, id, params)
    )
  }
}

/** Whether nothing but the adapter itself reads in `get`. */
function isAdapter(service: EntityService): service is Adapter {
  let readers = 0

  for (let type: unknown = service; type; type = Object.getPrototypeOf(type)) {
    readers += Object.hasOwn(type, '_get') ? 1 : 0
  }

  return readers === 1 && 'filterQuery' in service && 'getProjection' in service
}

/** The document as `_get` would read it; undefined when it would read anything else. */
async function answered(
  service: Adapter,
  id: Id,
  params: EntityParams,
  document: SessionOwner,
  idField: string
): Promise<Document | undefined> {
  const { query, filters } = service.filterQuery(id, params)
  const isUnchanged =
    !('pipeline' in params || 'mongodb' in params) &&
    filters.$select === undefined &&
    isOnly({ [idField]: document[idField] }, query) &&
    (await service.getModel(params)) === (await service.getModel())

  return isUnchanged ? projected(document, service.getProjection() ?? {}) : undefined
}

/** Whether a query asks for one document by its id, and has no other condition. */
function isOnly(id: Document, query: Query): boolean {
  return Object.entries(query).every(([name, value]) =>
    name === '$and'
      ? (value as Query[]).every((part) => isOnly(id, part))
      : name in id && String(value) === String(id[name])
  )
}

/** Undefined for a projection that names what is shown, or nested fields. */
function projected(document: Document, projection: Record<string, unknown>): Document | undefined {
  const isExclusion = Object.entries(projection).every(([name, shown]) => !shown && !name.includes('.'))

  return isExclusion
    ? Object.fromEntries(Object.entries(document).filter(([name]) => !(name in projection)))
    : undefined
}

export const hasCollection = (service: EntityService): boolean =>
  typeof service.getModel === 'function' || Boolean(service.Model)

/** The collection of the entities. */
export async function collectionOf(service: EntityService): Promise<Collection> {
  return driverCollection((await (service.getModel?.() ?? service.Model)) as Wrapped)
}

/** A model of Mongoose holds its collection, and that holds the one of the driver, once it is connected. */
interface Wrapped {
  collection?: Wrapped | null
  conn?: { asPromise(): Promise<unknown> }
}

async function driverCollection(model: Wrapped): Promise<Collection> {
  await model.conn?.asPromise()

  return model.collection ? driverCollection(model.collection) : (model as unknown as Collection)
}

/** Whether a service gave an entity, rather than null or a number. */
export const isEntity = (result: unknown): result is Document =>
  typeof result === 'object' && result !== null && !Array.isArray(result)
