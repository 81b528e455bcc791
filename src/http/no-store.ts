import type { Middleware } from '@feathersjs/koa'
import type { Application } from '../declarations.js'

/** Keeps the answers of services out of caches: they are for one client only. */
export const noStore = (): Middleware<Application> => async (ctx, next) => {
  await next()

  if (ctx.lookup && !ctx.response.get('Cache-Control')) {
    ctx.set('Cache-Control', 'no-store')
  }
}
