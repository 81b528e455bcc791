import type { Middleware } from '@feathersjs/koa'
import type { Application, NextFunction } from '../declarations.js'
import { requireMethod } from '../routes.js'
import { makeDocument } from './document.js'

const path = '/openapi.json'
const maxAge = 5 * 60 // s: it changes with a new version, or another setting

/** Makes the document at the start, once all services are there. */
export const openapi = (app: Application) => {
  app.hooks({
    setup: [
      async (_context: unknown, next: NextFunction) => {
        await next()
        app.set('openapi', makeDocument(app))
      }
    ]
  })
}

/** Publishes the document. */
export const publishedDocument = (): Middleware<Application> => async (ctx, next) => {
  if (ctx.path === path) {
    requireMethod(ctx, ['GET', 'HEAD'])
    ctx.set('Cache-Control', `public, max-age=${maxAge}`)
    ctx.body = ctx.app.get('openapi')
  } else {
    await next()
  }
}
