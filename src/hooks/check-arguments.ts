import { BadRequest } from '@feathersjs/errors'
import { ObjectId } from 'mongodb'
import type { HookContext, NextFunction } from '../declarations.js'
import { invalidData } from '../refresh-token/validation.js'

/** Around all methods of clients: over a socket an id may be anything, and data a list. */
export const checkArguments = () => async (context: HookContext, next: NextFunction) => {
  const { data, method, params } = context
  // `patch` and `remove` without an id mean all
  const id: unknown = context.id ?? (method === 'get' ? undefined : '')

  // Calls that the app makes on behalf of a client have ids as they are stored
  if (params.provider && typeof id !== 'string' && !(id instanceof ObjectId)) {
    throw invalidData([{ field: 'id', message: 'must be string' }])
  }
  if (params.provider && Array.isArray(data)) {
    throw new BadRequest('Invalid data: it must be object, not a list', {
      errors: [{ field: '', message: 'must be object' }]
    })
  }

  return next()
}
