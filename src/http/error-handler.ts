import { NotFound, type FeathersError } from '@feathersjs/errors'
import type { Middleware as KoaMiddleware } from '@feathersjs/koa'
import type { Application } from '../declarations.js'
import { loggable, toFeathersError } from '../hooks/convert-errors.js'

type Middleware = KoaMiddleware<Application>

/**
 * Answers errors as Feathers does, and a 401 with the challenge of RFC 6750 §3. Unexpected errors reveal nothing.
 */
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
          { requestId: ctx.feathers?.requestId, ...loggable(error) },
          `${ctx.method} failed before a service was called`
        )
    }

    // Feathers sends a hook's headers with results only, but a refusal may remove a cookie
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
  // RFC 9470 §3
  if (data?.reason === 'step-up') {
    return `Bearer error="insufficient_user_authentication", max_age=${data.within}`
  }

  const { accessToken, ...body } = (ctx.hook?.data ?? ctx.request.body ?? {}) as Record<string, unknown>
  const { field } = ctx.app.service('authentication').settings
  const presented = [ctx.feathers?.authentication, accessToken, body[field]].some(Boolean)

  return data?.reason && presented ? 'Bearer error="invalid_token"' : 'Bearer'
}
