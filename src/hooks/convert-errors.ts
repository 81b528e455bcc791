import { BadRequest, Conflict, FeathersError, GeneralError } from '@feathersjs/errors'
import type { HookContext, NextFunction } from '../declarations.js'
import { isDuplicate } from '../database/indexes.js'
import { isNotPrimary, isUnreachable, unavailable } from '../refresh-token/internal.js'

/** Around all methods: clients only get errors meant for them. Any other error is logged and becomes a bare 500. */
export const convertErrors = () => async (context: HookContext, next: NextFunction) => {
  try {
    await next()
  } catch (error) {
    const converted = toFeathersError(error)

    if (converted.code >= 500 && converted.code !== 503) {
      const { requestId } = context.params

      context.app
        .get('logger')
        .error({ requestId, ...loggable(error) }, `${context.path} ${context.method} failed`)
    }

    throw converted
  }
}

/** The error that a client gets for an error of ours, of the database or of the body parser. */
export function toFeathersError(error: unknown): FeathersError {
  if (isDuplicate(error)) {
    return emailTaken()
  }
  if (isUnreachable(error) || isAdapterError(error)) {
    return unavailable()
  }
  if (error instanceof FeathersError && error.code !== 500) {
    return error
  }

  return fromHttp(error) ?? new GeneralError('Something went wrong here; it has been logged')
}

export const emailTaken = (): Conflict =>
  new Conflict('The email is taken', { errors: [{ field: 'email', message: 'is taken' }] })

/**
 * Whether the Feathers adapter made this 500 from a driver error that means that the database can't be reached. The
 * adapter drops the class of the error, but only errors that the server sent have a numeric code.
 */
function isAdapterError(error: unknown): boolean {
  return (
    error instanceof GeneralError &&
    error.data?.errorLabelSet instanceof Set && // as on all errors of the driver
    (typeof error.data.code !== 'number' || isNotPrimary(error.data.code))
  )
}

/** Errors of Koa and its parsers, which have a status or a code. */
function fromHttp(error: unknown): FeathersError | undefined {
  const { status, code } = error as { status?: unknown; code?: unknown }
  const isRefusal = typeof status === 'number' && status >= 400 && status < 500

  return isRefusal || code === 'ERR_INVALID_URL' ? new BadRequest('The request can not be read') : undefined
}

/** The parts of an error that can't hold a secret. */
export function loggable(error: unknown): { error: string; stack?: string | undefined } {
  return error instanceof Error ? { error: error.name, stack: error.stack } : { error: typeof error }
}
