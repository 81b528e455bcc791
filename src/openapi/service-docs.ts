import feathersPackage, { type Service } from '@feathersjs/feathers'
import type { TObject, TSchema } from '@feathersjs/typebox'

/** Errors of an operation, in addition to those of all operations of its kind. */
export type DocumentedError = 401 | 403 | 404 | 409 | 429

/** The description of an operation in the OpenAPI document. */
export interface OperationDocs {
  summary: string
  description?: string
  /** The schema that the query is validated with. */
  query?: TObject
  /** The schema that the body is validated with. */
  data?: TSchema
  /** An example of the body. */
  example?: object
  answer: TSchema
  /** Headers of the answer, with their descriptions. */
  headers?: Record<string, string>
  errors?: DocumentedError[]
  /** Who may call it; `signed in` by default. */
  access?: 'signed in' | 'anyone' | 'anyone, and more with a token'
}

/** The description of a service in the OpenAPI document: its option `docs`. */
export interface ServiceDocs {
  description: string
  /** The schema of ids in paths. */
  id?: TSchema
  /** The operations, by service method. */
  methods: Partial<Record<'find' | 'get' | 'create' | 'update' | 'patch' | 'remove', OperationDocs>>
  /** `remove` without an id, if allowed: removes all entries, or the one that the caller's token belongs to. */
  removeWithoutId?: OperationDocs
}

/** The docs of a service; undefined if it has none. */
export function docsOf(service: Service): ServiceDocs | undefined {
  const { docs } = feathersPackage.getServiceOptions(service)

  return typeof docs === 'function' ? docs() : docs
}

declare module '@feathersjs/feathers' {
  interface ServiceOptions {
    /** A function, if they aren't known yet when the service is registered. */
    docs?: ServiceDocs | (() => ServiceDocs)
  }
}
