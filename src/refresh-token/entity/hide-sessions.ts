import type { HookContext, NextFunction } from '@feathersjs/feathers'
import { getDispatchValue } from '@feathersjs/schema'
import { isPlain } from '../sessions/copy.js'
import { invalidData } from '../validation.js'

type Json = Record<string, unknown>

const namingOperators = ['$select', '$rename'] // their values are names of fields
// They reach fields by code, by names that are computed, or by what no name is needed for
const unboundOperators = ['$where', '$function', '$accumulator', '$jsonSchema', '$getField']
const standardMethods = ['find', 'get', 'create', 'update', 'patch', 'remove']
const maxDepth = 100 // nested operators: more than any query needs

/**
 * Around all methods of the entity service, and of any other service on its collection: removes sessions and factors from
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

/** A method with hooks, which calls `original` inside of all of them. */
interface Hooked {
  original: (...args: unknown[]) => unknown
}

/**
 * Has the methods of a service answer no sessions, so that no hook of the app sees them either: neither those registered
 * before ours nor those after.
 */
export function withoutSessions(service: object, field: string, others: readonly string[] = []): void {
  for (const [method, hooked] of Object.entries(service).filter(isHooked)) {
    const { original } = hooked

    hooked.original = async function (...args) {
      const result: unknown = await original.apply(this, args)

      hide({ method, params: {}, result }, field, others)
      return result
    }
  }
}

const isHooked = (entry: [string, unknown]): entry is [string, Hooked] =>
  typeof (entry[1] as Partial<Hooked> | undefined)?.original === 'function'

type Answered = Pick<HookContext, 'method' | 'params' | 'result' | 'dispatch'>

function hide(
  { method, params, result, dispatch }: Answered,
  field: string,
  others: readonly string[]
): void {
  const isStandard = standardMethods.includes(method)
  const entities = [...entitiesOf(result), ...entitiesOf(dispatch)]

  for (const entity of entities) {
    for (const view of [entity, getDispatchValue(entity) as Json]) {
      if (isStandard || areSessions(view[field])) {
        hideField(view, field)
      }

      others.forEach((name) => hideField(view, name))
    }
  }

  if (!isStandard || params.provider) {
    for (const inner of objectsIn([result, dispatch, ...entities.map(getDispatchValue)])) {
      if (areSessions(inner[field])) {
        ;[field, ...others].forEach((name) => hideField(inner, name))
      }
    }
  }
}

/** All objects in a value, however deep: those of users that are answered inside of others. */
function objectsIn(value: unknown, found = new Set<object>()): Json[] {
  if (isObject(value) && !found.has(value)) {
    found.add(value)

    if (Array.isArray(value) || isPlain(value)) {
      Object.values(value).forEach((inner) => objectsIn(inner, found))
    }
  }

  return [...found] as Json[]
}

function hideField(view: Json, field: string): void {
  delete view[field]
  hideInJson(view, field)
}

/** A Mongoose document keeps its fields elsewhere, and exposes them through `toJSON`. */
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

/** The entries of a query or of data that name the sessions. */
const touching = (value: unknown, field: string): string[] =>
  [value]
    .flat()
    .filter(isObject)
    .flatMap(Object.entries<unknown>)
    .filter(([key, inner]) => entryTouches(key, inner, { field, depth: 0 }))
    .map(([key]) => key)

/** The field to search for, and the current depth of nested operators. */
interface Search {
  field: string
  depth: number
  /** Whether it is the value of another field, whose names are its own. */
  isValue?: boolean
}

/** Whether a query or data names the sessions, as a field or inside operators. */
function touches(value: unknown, search: Search): boolean {
  if (search.depth > maxDepth) {
    return true
  }
  if (typeof value === 'string') {
    return isExpressionOf(value, search.field)
  }
  if (Array.isArray(value)) {
    return value.some((item) => touches(item, { ...search, depth: search.depth + 1 }))
  }

  return (
    isObject(value) && Object.entries(value).some(([key, inner]) => entryTouches(key, inner, search, true))
  )
}

function entryTouches(key: string, value: unknown, search: Search, isInOperator = false): boolean {
  const { field, isValue = false } = search
  const deeper = { ...search, depth: search.depth + 1 }

  if (unboundOperators.includes(key)) {
    return true
  }
  if (namingOperators.includes(key)) {
    return namesIn(value).some((name) => isPath(name, field))
  }
  if (key.startsWith('$')) {
    return touches(value, deeper)
  }

  return (!isValue && isPath(key, field)) || (isInOperator && touches(value, { ...deeper, isValue: true }))
}

/** Whether text in an operator reads the field, or the whole document: "$sessions.strategy", "$$ROOT". */
function isExpressionOf(text: string, field: string): boolean {
  const path = text.replace(/^\$\$(ROOT|CURRENT)\.?/, '$')

  return text.startsWith('$') && (path === '$' || isPath(path.slice(1), field))
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

/** Whether a value is the stored sessions: a custom method may answer an unrelated field of the same name. */
const areSessions = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((session) => isObject(session) && 'used' in session && 'renewable' in session)
