import type { Application, Id, Params, Query } from '@feathersjs/feathers'
import type { Collection, Document } from 'mongodb'
import type { SessionOwner } from '../sessions/users.js'

/** The document of a user that was just read: an adapter answers it once instead of reading it again. */
export const readDocument = Symbol('read document')

/** The user of a token, for the strategy that asks for its entity. */
export const foundUser = Symbol('found user')

/** A user that was found, by an id that its service reads. */
export interface Found {
  id: Id
  /** A copy of the document. */
  read: () => SessionOwner
  /** What is kept in memory of it, until it changes. */
  kept?: { entity?: Document } | undefined
}

/** Params for a call of the entity service. */
export interface EntityParams extends Params {
  [readDocument]?: (() => SessionOwner | undefined) | undefined
  [foundUser]?: Found | undefined
}

/** What Moult uses of the entity service. Only a Feathers adapter for MongoDB has all of it. */
export interface EntityService {
  id?: string
  get(id: Id, params?: EntityParams): Promise<Document>
  hooks(hooks: object): unknown
  getModel?(params?: EntityParams): unknown
  getObjectId?(id: string): unknown
  filterQuery?(id: Id, params: EntityParams): unknown
  /** The model of an adapter for Mongoose. */
  Model?: unknown
}

/** The internals of `MongoDBService`, whose `get` calls `_get`. */
interface Adapter extends EntityService {
  getModel(params?: EntityParams): unknown
  _get: (id: Id, params?: EntityParams) => Promise<Document>
  filterQuery(id: Id, params: EntityParams): { query: Query; filters: Query }
  getProjection(select?: unknown): Record<string, unknown> | undefined
}

/** Calls `use` with the service at a path, now or as soon as it is registered. */
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
 * Answers the innermost read of `get` with the document in `params`, instead of querying the database. Hooks and
 * resolvers run as usual. Any other read, with a condition or of another collection, say, still queries the database.
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

/** Whether `get` reads only through the adapter. */
function isAdapter(service: EntityService): service is Adapter {
  let readers = 0

  for (let type: unknown = service; type; type = Object.getPrototypeOf(type)) {
    readers += Object.hasOwn(type, '_get') ? 1 : 0
  }

  return readers === 1 && 'filterQuery' in service && 'getProjection' in service
}

/** The document as `_get` would read it; undefined if it would read anything else. */
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
      : name in id && isSame(value, id[name])
  )
}

/** Whether ids are the same, and of the same type: 9 is not "9", for the database. */
const isSame = (a: unknown, b: unknown) =>
  typeof a === typeof b && a?.constructor === b?.constructor && String(a) === String(b)

/** The document without excluded fields; undefined for a projection that includes fields, or names nested ones. */
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

/** A Mongoose model wraps a collection, which wraps that of the driver once it is connected. */
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
