import type { Middleware as KoaMiddleware } from '@feathersjs/koa'
import { randomUUID } from 'node:crypto'
import { addressOf } from './client-address.js'
import type { Application } from './declarations.js'

export const requestIdHeader = 'X-Request-Id'

const usable = /^[\w.:+/=@-]{1,128}$/ // nothing that could be more than one word in a log
const debug = 20 // pino's number for that level
const longSegment = /[^/]{65,}/g // of a path: ids are shorter, tokens longer

/** The id that a proxy gave to a request, if that can be used as one; else a new one. */
export function requestIdOf(header: unknown): string {
  return typeof header === 'string' && usable.test(header) ? header : randomUUID()
}

/**
 * Says which request it is: `params.requestId`, also in its answer and in what is logged about it, and where it comes
 * from: `params.ip`, for the device of a session and for limits. Logs a line for each request at the level `debug`;
 * where that is off, nothing is done for it.
 */
export const identifyRequests = (): KoaMiddleware<Application> => (ctx, next) => {
  const { headers, socket } = ctx.req
  const requestId = requestIdOf(headers['x-request-id'])
  const ip = addressOf({ headers, remoteAddress: socket.remoteAddress }, ctx.app.get('proxies'))

  ctx.feathers = { ...ctx.feathers, requestId, ip }
  ctx.res.setHeader(requestIdHeader, requestId)

  return ctx.app.get('logger').levelVal <= debug ? logged(ctx, next) : next()
}

type Context = Parameters<KoaMiddleware<Application>>[0]

async function logged(ctx: Context, next: () => Promise<unknown>): Promise<void> {
  const start = performance.now()

  await next()

  const { method, status } = ctx
  const { requestId, ip } = ctx.feathers as { requestId: string; ip?: string }
  const user: { _id: unknown } | undefined = ctx.hook?.params.user
  // As it was sent, for that may be no path at all; without its query, which may name people
  const path = ctx.req.url!.split('?', 1)[0]!.replace(longSegment, '…')
  const ms = Math.round((performance.now() - start) * 10) / 10

  ctx.app
    .get('logger')
    .debug(
      { requestId, method, path, status, ms, ip, ...(user && { userId: String(user._id) }) },
      `${method} ${path} ${status} in ${ms} ms`
    )
}
