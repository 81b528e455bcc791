import type { HookContext, NextFunction } from '@feathersjs/feathers'
import { getDispatchValue } from '@feathersjs/schema'
import { invalidData } from '../refresh-token/index.js'
import { hiddenFields, type AccountUser, type AccountUsers } from './account-users.js'

type Json = Record<string, unknown>

const neverAsked = [...hiddenFields, 'pendingEmail']
const ours = [...neverAsked, 'emailVerified']

/**
 * Around all methods of an app's users service: removes hidden fields from answers and events, and from what other users
 * are answered the pending address. Refuses calls of clients that query hidden fields, or write fields that only a link in
 * a mail may change.
 *
 * @throws BadRequest
 */
export const guardFields =
  (users: AccountUsers, entity: string) => async (context: HookContext, next: NextFunction) => {
    const { params, data } = context
    const refused = params.provider
      ? [...refusedIn(data, users.emailField), ...namedIn(params.query, neverAsked)]
      : []

    if (refused.length > 0) {
      throw invalidData(refused.map((field) => ({ field, message: 'is not a known field' })))
    }

    await next()

    // Authenticated since
    const caller = (context.params as Record<string, AccountUser | undefined>)[entity]
    const isOther = (user: Json) => !caller || users.idOf(user as AccountUser) !== users.idOf(caller)

    for (const user of [...usersIn(context.result), ...usersIn(context.dispatch)]) {
      const hidden = params.provider && isOther(user) ? neverAsked : hiddenFields

      for (const view of [user, getDispatchValue(user) as Json]) {
        hidden.forEach((field) => delete view[field])
      }
    }
  }

/** What data may not name: our fields, and the address in any operator but `$set`, since it takes a mail to change it. */
function refusedIn(data: unknown, emailField: string): string[] {
  const {
    $set: _set,
    $rename,
    ...rest
  } = (isObject(data) ? data : {}) as { $set?: unknown; $rename?: object }
  const operators = Object.fromEntries(Object.entries(rest).filter(([name]) => name.startsWith('$')))

  return [
    ...namedIn(data, ours),
    ...namedIn({ ...operators, ...$rename }, [emailField]),
    ...namedIn(Object.values($rename ?? {}), [emailField, ...ours])
  ]
}

/** The fields, of those given, that data or a query names: as keys, below operators, or in `$select`. */
const namedIn = (value: unknown, fields: readonly string[]): string[] =>
  namesIn(value).filter((name) => fields.some((field) => name === field || name.startsWith(`${field}.`)))

/** The names of fields in data or a query. What is below a field is its value, which may name anything. */
function namesIn(value: unknown): string[] {
  if (Array.isArray(value)) {
    return value.flatMap(namesIn)
  }

  return isObject(value)
    ? Object.entries(value).flatMap(([key, inner]) => (key.startsWith('$') ? namesIn(inner) : key))
    : [String(value)]
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
