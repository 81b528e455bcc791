import type { Middleware } from '@feathersjs/koa'
import { NotAuthenticated } from '@feathersjs/errors'
import cluster from 'node:cluster'
import type { Registry } from 'prom-client'
import type { Application, NextFunction } from '../declarations.js'
import { requireMethod } from '../http/require-method.js'
import { contentType, hasToken, path, serveMetrics, type MetricsServer } from './server.js'

/**
 * `app.get('scrape')`: the metrics as text; also served on a port of their own, if one is configured. Of several workers,
 * the primary serves it.
 */
export const metrics = (app: Application) => {
  const settings = app.get('metrics')
  let server: MetricsServer | undefined

  if (!settings) {
    return
  }

  app.hooks({
    setup: [
      async (_context: unknown, next: NextFunction) => {
        // Loaded only if metrics are on
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

/** Serves the metrics on the port of the service, to those who have the token. */
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
    throw new NotAuthenticated('Reading the metrics requires their token')
  }
}

declare module '../declarations.js' {
  interface Configuration {
    /** What this process has counted; only with the setting `metrics`. */
    metricsRegistry: Registry
    /** What all processes have counted, in Prometheus' text format; only with the setting `metrics`. */
    scrape: () => Promise<string>
  }
}
