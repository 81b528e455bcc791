import { BadRequest, FeathersError, NotFound } from '@feathersjs/errors'
import type { Middleware as KoaMiddleware } from '@feathersjs/koa'
import type { Application } from './declarations.js'
import { describe, toFeathersError } from './hooks/convert-errors.js'

type Middleware = KoaMiddleware<Application>

/** Answers each error as Feathers does, and a 401 as RFC 6750 §3 asks. Nothing of an unexpected one gets out. */
export const errorHandler = (): Middleware => async (ctx, next) => {
  try {
    await next()

    if (ctx.status === 404 && ctx.body === undefined) {
      throw new NotFound(`Path ${ctx.path} not found`)
    }
  } catch (error) {
    const { code, ...answer } = toFeathersError(error).toJSON()

    if (code === 500 && !ctx.hook) {
      ctx.app
        .get('logger')
        .error(
          { requestId: ctx.feathers?.requestId, ...describe(error) },
          `${ctx.method} failed before a service was called`
        )
    }

    // Feathers sends them with a result only: a refusal may take a cookie away
    ctx.set(ctx.hook?.http?.headers ?? {})

    if (code === 401) {
      ctx.set('WWW-Authenticate', challenge(ctx, answer.data))
    }
    if (answer.data?.retryAfter !== undefined) {
      ctx.set('Retry-After', String(Math.ceil(answer.data.retryAfter))) // s: RFC 9110 §10.2.3
    }

    ctx.set('Cache-Control', 'no-store')
    ctx.status = code
    ctx.body = { ...answer, code }
  }
}

function challenge(ctx: Parameters<Middleware>[0], data: FeathersError['data']): string {
  const { accessToken, ...body } = (ctx.hook?.data ?? ctx.request.body ?? {}) as Record<string, unknown>
  const { field } = ctx.app.service('authentication').settings
  const presented = [ctx.feathers?.authentication, accessToken, body[field]].some(Boolean)

  return data?.reason && presented ? 'Bearer error="invalid_token"' : 'Bearer'
}

/** Whatever is wrong with a body (its JSON, its encoding, its size), the client sent it. */
export function unreadable(error: Error & { status?: number }): never {
  if (error.status === 413) {
    throw new FeathersError('The request is too large', 'PayloadTooLarge', 413, 'payload-too-large', {})
  }

  throw new BadRequest('The body can not be read')
}

/** What services answer is for the one who asked: no cache is to keep it. */
export const notStored = (): Middleware => async (ctx, next) => {
  await next()

  if (ctx.lookup && !ctx.response.get('Cache-Control')) {
    ctx.set('Cache-Control', 'no-store')
  }
}

/** Feathers' router looks names up in plain objects, where `__proto__` and `constructor` are found and then fail. */
export const guardedLookup = (app: Application) => {
  const lookup = app.lookup.bind(app)

  app.lookup = (path: string) => {
    const inherited =
      typeof path === 'string' && path.split('/').some((segment) => segment in Object.prototype)

    // Feathers' type does not say so, but null is its answer where no service is
    return inherited ? (null as never) : lookup(path)
  }
}
