import type { Middleware } from '@feathersjs/koa'
import { NotAuthenticated } from '@feathersjs/errors'
import cluster from 'node:cluster'
import type { Application, NextFunction } from '../declarations.js'
import { requireMethod } from '../routes.js'
import { contentType, hasToken, path, serveMetrics, type MetricsServer } from './server.js'

/** `app.get('scrape')`: what is counted, as text; on a port of its own, if that is configured. Of workers the primary serves it. */
export const metrics = (app: Application) => {
  const settings = app.get('metrics')
  let server: MetricsServer | undefined

  if (!settings) {
    return
  }

  app.hooks({
    setup: [
      async (_context: unknown, next: NextFunction) => {
        // Not loaded where nothing is counted
        const { makeRegistry } = await import('./registry.js')
        const registry = makeRegistry(app)

        app.set('metricsRegistry', registry)
        app.set('scrape', () => registry.metrics())
        await next()

        if (settings.port !== undefined && cluster.isPrimary) {
          server = await serveMetrics(settings, app.get('scrape'))
          app.get('logger').info(server.sentence)
        }
      }
    ],
    teardown: [
      async (_context: unknown, next: NextFunction) => {
        await server?.close()
        await next()
      }
    ]
  })
}

/** On the port of the service, to those who have the token. */
export const publishedMetrics = (): Middleware<Application> => async (ctx, next) => {
  const settings = ctx.path === path && ctx.app.get('metrics')

  if (!settings || settings.port !== undefined) {
    await next()
  } else {
    requireMethod(ctx, ['GET', 'HEAD'])
    requireToken(ctx, settings.token)
    ctx.set('Cache-Control', 'no-store')
    ctx.set('Content-Type', contentType)
    ctx.body = await ctx.app.get('scrape')()
  }
}

function requireToken(ctx: Parameters<Middleware>[0], token: string | undefined): void {
  if (!hasToken(ctx.get('Authorization'), token)) {
    throw new NotAuthenticated('The metrics are for those who have their token')
  }
}
