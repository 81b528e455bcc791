import type { HookContext, NextFunction } from '@feathersjs/feathers'
import { getDispatchValue } from '@feathersjs/schema'
import { invalidData } from '../validation.js'

type Json = Record<string, unknown>

const namingOperators = ['$select', '$rename'] // their values are names of fields
const standardMethods = ['find', 'get', 'create', 'update', 'patch', 'remove']
const maxDepth = 100 // nested operators: more than any query needs

/**
 * Around all methods of the entity service, and of any other on its collection: removes the sessions and the factors from
 * answers and events, and refuses calls of clients that filter, sort or select by them, or write them.
 *
 * @param field The name of the field that holds the sessions
 * @param others The names of those that hold what belongs to factors
 * @throws BadRequest
 */
export const hideSessions =
  (field = 'sessions', others: readonly string[] = []) =>
  async (context: HookContext, next: NextFunction) => {
    const { params, data } = context

    const refused = params.provider
      ? [params.query, data as unknown].flatMap((value) =>
          [field, ...others].flatMap((name) => touching(value, name))
        )
      : []

    if (refused.length > 0) {
      throw invalidData(refused.map((name) => ({ field: name, message: 'is not a known field' })))
    }

    await next()
    hide(context, field, others)
  }

/** After all methods, first: so that no hook of the app sees the sessions either. */
export const withoutSessions =
  (field: string, others: readonly string[] = []) =>
  async (context: HookContext) =>
    hide(context, field, others)

function hide({ method, result, dispatch }: HookContext, field: string, others: readonly string[]): void {
  const isStandard = standardMethods.includes(method)

  for (const entity of [...entitiesOf(result), ...entitiesOf(dispatch)]) {
    for (const view of [entity, getDispatchValue(entity) as Json]) {
      if (isStandard || areSessions(view[field])) {
        hideField(view, field)
      }

      others.forEach((name) => hideField(view, name))
    }
  }
}

function hideField(view: Json, field: string): void {
  delete view[field]
  hideInJson(view, field)
}

/** A document of Mongoose keeps its fields elsewhere, and shows them as JSON. */
function hideInJson(view: Json, field: string): void {
  const { toJSON } = view

  if (typeof toJSON === 'function') {
    Object.defineProperty(view, 'toJSON', {
      configurable: true,
      value: (...args: unknown[]): Json => {
        const { [field]: _sessions, ...shown } = toJSON.apply(view, args) as Json

        return shown
      }
    })
  }
}

/** The entries of a query, or of data, that name the sessions. */
const touching = (value: unknown, field: string): string[] =>
  [value]
    .flat()
    .filter(isObject)
    .flatMap(Object.entries<unknown>)
    .filter(([key, inner]) => entryTouches(key, inner, { field, depth: 0 }))
    .map(([key]) => key)

/** The field to look for, and how deep in nested operators. */
interface Search {
  field: string
  depth: number
}

/** Whether a query or data names the sessions, as a field or below operators. */
function touches(value: unknown, { field, depth }: Search): boolean {
  const deeper = { field, depth: depth + 1 }

  if (depth > maxDepth) {
    return true
  }
  if (Array.isArray(value)) {
    return value.some((item) => touches(item, deeper))
  }

  return (
    isObject(value) &&
    Object.entries(value).some(([key, inner]) => entryTouches(key, inner, { field, depth }))
  )
}

function entryTouches(key: string, value: unknown, { field, depth }: Search): boolean {
  if (namingOperators.includes(key)) {
    return namesIn(value).some((name) => isPath(name, field))
  }

  return isPath(key, field) || (key.startsWith('$') && touches(value, { field, depth: depth + 1 }))
}

const namesIn = (value: unknown): string[] =>
  [value]
    .flat()
    .flatMap((item) => (isObject(item) ? Object.entries(item).flat() : item))
    .map(String)

const isPath = (name: string, field: string) => name === field || name.startsWith(`${field}.`)

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null

/** The entities in a result: one, a list, or a page. */
export function entitiesOf(result: unknown): Json[] {
  const page = isObject(result) && Array.isArray(result.data) ? result.data : result

  return [page].flat().filter(isObject)
}

/** A custom method of the app may answer a `sessions` of its own. */
const areSessions = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((session) => isObject(session) && 'used' in session && 'renewable' in session)
