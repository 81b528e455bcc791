import { feathers } from '@feathersjs/feathers'
import { bodyParser, cors, koa, rest } from '@feathersjs/koa'
import socketio from '@feathersjs/socketio'
import { authentication } from './authentication.js'
import { channels } from './channels.js'
import { configured, type Configuration } from './configuration.js'
import { socketLimits } from './connections.js'
import type { Application } from './declarations.js'
import { securityHeaders } from './headers.js'
import { checkArguments } from './hooks/check-arguments.js'
import { convertErrors, describe } from './hooks/convert-errors.js'
import { limitTime } from './hooks/limit-time.js'
import { requireDatabase } from './hooks/require-database.js'
import { keyRecord } from './key-record.js'
import { createLogger, type Logger } from './logger.js'
import { errorHandler, guardedLookup, notStored, unreadable } from './middleware.js'
import { metrics, publishedMetrics } from './metrics/metrics.js'
import { mongodb } from './mongodb.js'
import { openapi, publishedDocument } from './openapi/openapi.js'
import { page } from './page.js'
import { passwords } from './passwords.js'
import { publishedKeys } from './published-keys.js'
import { rateLimits } from './rate-limits/rate-limits.js'
import { identifyRequests, requestIdHeader } from './request-id.js'
import { refuseOtherMethods } from './routes.js'
import { services } from './services/index.js'
import { usersElsewhere } from './services/users/users-elsewhere.js'
import { both, fromKnownOrigin, guardSockets } from './sockets.js'

export interface AppOptions {
  /** The clock: ms since 1970. */
  now?: () => number
  logger?: Logger
}

const preflightLife = 7200 // s: as long as Chromium believes an answer, and Firefox longer

/**
 * Makes the app, in the order of the Feathers generator.
 *
 * @throws ConfigurationError
 */
export function createApp(
  settings: Configuration,
  { now = Date.now, logger = createLogger() }: AppOptions = {}
): Application {
  const app: Application = koa(feathers())
  const sockets = socketLimits(settings.limits, settings.proxies)

  app.configure(configured(settings))
  app.set('now', now)
  app.set('logger', logger)
  logger.level = settings.logLevel ?? logger.level
  // Koa believes what proxies say of the protocol and the host, too
  app.proxy = settings.proxies > 0
  app.maxIpsCount = settings.proxies

  // What Koa would print: connections that broke, or took too long
  app.on('error', (error, ctx) =>
    logger.debug({ requestId: ctx?.feathers?.requestId, ...describe(error) }, 'A request failed')
  )
  app.use(identifyRequests())
  app.use(securityHeaders())
  app.use(errorHandler())
  app.use(
    cors({
      origin: allowedOrigin(settings.origins),
      credentials: () => app.service('authentication').settings.cookie !== undefined,
      exposeHeaders: ['Retry-After', requestIdHeader],
      maxAge: preflightLife
    })
  )
  app.use(notStored())
  app.use(
    bodyParser({ jsonLimit: settings.limits.body, urlencoded: false, text: false, onError: unreadable })
  )

  app.configure(refuseOtherMethods)
  app.configure(rest())
  // What is no service comes after them, so that they do not wait for it
  app.use(publishedKeys())
  app.use(publishedDocument())
  app.use(publishedMetrics())
  app.use(page())
  app.configure(
    socketio(
      {
        cors: { origin: settings.origins },
        ...sockets.options,
        allowRequest: both(fromKnownOrigin(settings.origins), sockets.allowRequest)
      },
      (io) => {
        sockets.limit(io)
        guardSockets(app)(io)
      }
    )
  )
  app.configure(guardedLookup)
  app.configure(mongodb)
  app.configure(passwords)
  app.configure(authentication)
  app.configure(keyRecord)
  app.configure(rateLimits)
  app.configure(services)
  app.configure(channels)
  app.configure(usersElsewhere)
  app.configure(openapi)
  app.configure(metrics)

  app.hooks({
    around: {
      all: [convertErrors(), limitTime(), checkArguments(), requireDatabase()]
    }
  })

  return app
}

function allowedOrigin(origins: string[]) {
  return ({ headers: { origin } }: { headers: { origin?: string } }) =>
    origin !== undefined && origins.includes(origin) ? origin : ''
}
