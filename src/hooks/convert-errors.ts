import { BadRequest, Conflict, FeathersError, GeneralError } from '@feathersjs/errors'
import type { HookContext, NextFunction } from '../declarations.js'
import { isDuplicate } from '../mongodb.js'
import { isNotPrimary, isUnreachable, unavailable } from '../refresh-token/errors.js'

/** Around all methods: nothing gets out that was not meant to. What is our fault is logged, and a bare 500. */
export const convertErrors = () => async (context: HookContext, next: NextFunction) => {
  try {
    await next()
  } catch (error) {
    const converted = toFeathersError(error)

    if (converted.code >= 500 && converted.code !== 503) {
      const { requestId } = context.params

      context.app
        .get('logger')
        .error({ requestId, ...describe(error) }, `${context.path} ${context.method} failed`)
    }

    throw converted
  }
}

/** The error that a client gets for one that was thrown, by us, by the database or by the body parser. */
export function toFeathersError(error: unknown): FeathersError {
  if (isDuplicate(error)) {
    return new Conflict('The email is taken', { errors: [{ field: 'email', message: 'is taken' }] })
  }
  if (isUnreachable(error) || isAdapterError(error)) {
    return unavailable()
  }
  if (error instanceof FeathersError && error.code !== 500) {
    return error
  }

  return fromHttp(error) ?? new GeneralError('Something went wrong here; it has been logged')
}

/**
 * The Feathers adapter makes a 500 of every error of the driver and drops its class. An answer of the server (what it
 * makes of a request) has a number as code; without one, there was no answer.
 */
function isAdapterError(error: unknown): boolean {
  return (
    error instanceof GeneralError &&
    error.data?.errorLabelSet instanceof Set && // what the driver puts on all of its errors
    (typeof error.data.code !== 'number' || isNotPrimary(error.data.code))
  )
}

/** What Koa and what it parses requests with throw: a status, or a code. */
function fromHttp(error: unknown): FeathersError | undefined {
  const { status, code } = error as { status?: unknown; code?: unknown }
  const isRefusal = typeof status === 'number' && status >= 400 && status < 500

  return isRefusal || code === 'ERR_INVALID_URL' ? new BadRequest('The request can not be read') : undefined
}

/** Of an error only what can't hold a secret. */
export function describe(error: unknown): { error: string; stack?: string | undefined } {
  return error instanceof Error ? { error: error.name, stack: error.stack } : { error: typeof error }
}
