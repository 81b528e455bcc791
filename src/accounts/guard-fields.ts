import type { HookContext, NextFunction } from '@feathersjs/feathers'
import { getDispatchValue } from '@feathersjs/schema'
import { invalidData } from '../refresh-token/index.js'
import { hiddenFields } from './account-users.js'

type Json = Record<string, unknown>

const ours = [...hiddenFields, 'emailVerified', 'pendingEmail']

/**
 * Around all methods of an app's users service: removes hidden fields from answers and events. Refuses calls of clients
 * that query hidden fields, or write fields that only a link in a mail may change.
 *
 * @throws BadRequest
 */
export const guardFields = () => async (context: HookContext, next: NextFunction) => {
  const { params, data } = context
  const refused = params.provider ? [...namedIn(data, ours), ...namedIn(params.query, hiddenFields)] : []

  if (refused.length > 0) {
    throw invalidData(refused.map((field) => ({ field, message: 'is not a known field' })))
  }

  await next()

  for (const user of [...usersIn(context.result), ...usersIn(context.dispatch)]) {
    for (const view of [user, getDispatchValue(user) as Json]) {
      hiddenFields.forEach((field) => delete view[field])
    }
  }
}

/** The fields, of those given, that data or a query names at any depth: as keys, below operators, or in `$select`. */
function namedIn(value: unknown, fields: readonly string[]): string[] {
  const isNamed = (name: unknown) =>
    typeof name === 'string' && fields.some((field) => name === field || name.startsWith(`${field}.`))

  if (Array.isArray(value)) {
    return value.flatMap((item) => (isNamed(item) ? String(item) : namedIn(item, fields)))
  }

  return isObject(value)
    ? Object.entries(value).flatMap(([key, inner]) => (isNamed(key) ? key : namedIn(inner, fields)))
    : []
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' &&
  value !== null &&
  [Object.prototype, null].includes(Object.getPrototypeOf(value))

/** The users in a result: one, a list, or a page. */
function usersIn(result: unknown): Json[] {
  const { data } = (result ?? {}) as { data?: unknown }

  return [Array.isArray(data) ? data : result]
    .flat()
    .filter((user): user is Json => typeof user === 'object' && user !== null)
}
