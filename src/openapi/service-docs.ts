import feathersPackage, { type Service } from '@feathersjs/feathers'
import type { TObject, TSchema } from '@feathersjs/typebox'

/** The errors that an operation may answer, besides those that all of its kind do. */
export type DocumentedError = 401 | 403 | 404 | 409 | 429

/** What the OpenAPI document says of one operation. */
export interface OperationDocs {
  summary: string
  description?: string
  /** The fields of the query, as they are validated. */
  query?: TObject
  /** The body, as it is validated. */
  data?: TSchema
  /** A body. */
  example?: object
  answer: TSchema
  /** Response headers of the answer, each a string. */
  headers?: Record<string, string>
  errors?: DocumentedError[]
  /** Who may call; whoever has signed in, unless it says otherwise. */
  access?: 'signed in' | 'anyone' | 'anyone, and more with a token'
}

/** What the OpenAPI document says of a service: its option `docs`. */
export interface ServiceDocs {
  description: string
  /** What ids look like, in paths. */
  id?: TSchema
  /** The operations, by the method of the service. */
  methods: Partial<Record<'find' | 'get' | 'create' | 'update' | 'patch' | 'remove', OperationDocs>>
  /** `remove` without an id, where that can be called: of all, or of what the caller's token belongs to. */
  removeWithoutId?: OperationDocs
}

/** What a service says of itself. */
export function docsOf(service: Service): ServiceDocs | undefined {
  const { docs } = feathersPackage.getServiceOptions(service)

  return typeof docs === 'function' ? docs() : docs
}

declare module '@feathersjs/feathers' {
  interface ServiceOptions {
    /** A function where it is not known yet when the service is made. */
    docs?: ServiceDocs | (() => ServiceDocs)
  }
}
