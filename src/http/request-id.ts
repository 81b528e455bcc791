import type { Middleware as KoaMiddleware } from '@feathersjs/koa'
import { randomUUID } from 'node:crypto'
import { addressOf } from './client-address.js'
import type { Application } from '../declarations.js'

export const requestIdHeader = 'X-Request-Id'

const usable = /^[\w.:+/=@-]{1,128}$/ // a single word in a log
const debug = 20 // pino's number for the level `debug`
const longSegment = /[^/]{65,}/g // ids in a path are shorter, tokens are longer

/** The id that a proxy gave the request, if it is usable; otherwise a new one. */
export function requestIdOf(header: unknown): string {
  return typeof header === 'string' && usable.test(header) ? header : randomUUID()
}

/**
 * Sets `params.requestId`, which is also in the answer and the log, and `params.ip`, which is used for limits and the
 * device of a session. Logs a line for each request at the level `debug`.
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
  // As it was sent, since it may not be a valid path; without the query, which may name people
  const path = ctx.req.url!.split('?', 1)[0]!.replace(longSegment, '…')
  const ms = Math.round((performance.now() - start) * 10) / 10

  ctx.app
    .get('logger')
    .debug(
      { requestId, method, path, status, ms, ip, ...(user && { userId: String(user._id) }) },
      `${method} ${path} ${status} in ${ms} ms`
    )
}

declare module '@feathersjs/feathers' {
  interface Params {
    /** The address of the client. */
    ip?: string
    /** Names the request in the log; for calls over a socket, the socket. */
    requestId?: string
  }
}
