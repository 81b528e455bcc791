import type { Middleware } from '@feathersjs/koa'
import type { Application, NextFunction } from '../declarations.js'
import { requireMethod } from '../http/require-method.js'
import { makeDocument, type OpenApiDocument } from './document.js'

const path = '/openapi.json'
const maxAge = 5 * 60 // s: it only changes with the version or the settings

/** Makes the document at the start, when all services exist. */
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

declare module '../declarations.js' {
  interface Configuration {
    openapi: OpenApiDocument
  }
}
