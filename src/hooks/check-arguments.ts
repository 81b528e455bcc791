import { BadRequest } from '@feathersjs/errors'
import { ObjectId } from 'mongodb'
import type { HookContext, NextFunction } from '../declarations.js'
import { invalidData } from '../refresh-token/index.js'
import { hasTooManyEntries, mostEntries } from './entries.js'

/**
 * Around all methods: refuses ids that aren't strings and lists as data, which sockets can send, and data and queries
 * with too many entries.
 */
export const checkArguments = () => async (context: HookContext, next: NextFunction) => {
  const { data, method, params } = context
  // `patch` and `remove` without an id mean all entries
  const id: unknown = context.id ?? (method === 'get' ? undefined : '')

  // Calls that the app makes on behalf of a client may pass ObjectIds
  if (params.provider && typeof id !== 'string' && !(id instanceof ObjectId)) {
    throw invalidData([{ field: 'id', message: 'must be a string' }])
  }
  if (params.provider && Array.isArray(data)) {
    throw new BadRequest('Invalid data: it must be an object, not a list', {
      errors: [{ field: '', message: 'must be an object' }]
    })
  }
  if (params.provider && (hasTooManyEntries(data) || hasTooManyEntries(params.query))) {
    throw invalidData([{ field: '', message: `must have at most ${mostEntries} entries` }])
  }

  return next()
}
