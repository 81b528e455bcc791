import type { HookContext, NextFunction } from '@feathersjs/feathers'
import { getDispatchValue } from '@feathersjs/schema'
import { invalidData } from '../validation.js'

type Json = Record<string, unknown>

const field = 'sessions'
const naming = ['$select', '$rename'] // whose values are names of fields
const standardMethods = ['find', 'get', 'create', 'update', 'patch', 'remove']
const deepest = 100 // operators inside each other, in a query that anybody means

/**
 * Around all methods of the entity service: the sessions in its documents are not in what it answers, nor in its
 * events; clients can neither ask for them, by a filter, an order or a selection, nor write them.
 *
 * @throws BadRequest
 */
export const hideSessions = () => async (context: HookContext, next: NextFunction) => {
  const { params, data, method } = context

  const refused = params.provider ? [params.query, data as unknown].flatMap(touching) : []

  if (refused.length > 0) {
    throw invalidData(refused.map((name) => ({ field: name, message: 'is not a known field' })))
  }

  await next()

  const isStandard = standardMethods.includes(method)

  for (const entity of [...entitiesOf(context.result), ...entitiesOf(context.dispatch)]) {
    for (const view of [entity, getDispatchValue(entity) as Json]) {
      if (isStandard || areSessions(view[field])) {
        delete view[field]
      }
    }
  }
}

/** The entries of a query, or of data, that have to do with the sessions. */
const touching = (value: unknown): string[] =>
  [value]
    .flat()
    .filter(isObject)
    .flatMap(Object.entries<unknown>)
    .filter(([key, inner]) => entryTouches(key, inner, 0))
    .map(([key]) => key)

/** Whether a query or data names the sessions: as a field, or behind operators. */
function touches(value: unknown, depth = 0): boolean {
  if (depth > deepest) {
    return true
  }
  if (Array.isArray(value)) {
    return value.some((item) => touches(item, depth + 1))
  }

  return isObject(value) && Object.entries(value).some(([key, inner]) => entryTouches(key, inner, depth))
}

function entryTouches(key: string, value: unknown, depth: number): boolean {
  if (naming.includes(key)) {
    return namesIn(value).some(isPath)
  }

  return isPath(key) || (key.startsWith('$') && touches(value, depth + 1))
}

const namesIn = (value: unknown): string[] =>
  [value]
    .flat()
    .flatMap((item) => (isObject(item) ? Object.entries(item).flat() : item))
    .map(String)

const isPath = (name: string) => name === field || name.startsWith(`${field}.`)

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null

/** One, a list, or a page. */
function entitiesOf(result: unknown): Json[] {
  const page = isObject(result) && Array.isArray(result.data) ? result.data : result

  return [page].flat().filter(isObject)
}

/** A method of the app's own may answer something else of that name. */
const areSessions = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((session) => isObject(session) && 'used' in session && 'renewable' in session)
