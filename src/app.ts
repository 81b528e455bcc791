import { feathers } from '@feathersjs/feathers'
import { bodyParser, cors, koa, rest } from '@feathersjs/koa'
import socketio from '@feathersjs/socketio'
import { authentication } from './authentication.js'
import { channels } from './channels.js'
import type { Configuration } from './configuration.js'
import { socketLimits } from './http/connection-limits.js'
import type { Deliver } from './accounts/index.js'
import type { Application } from './declarations.js'
import { securityHeaders } from './http/security-headers.js'
import { checkArguments } from './hooks/check-arguments.js'
import { convertErrors, loggable } from './hooks/convert-errors.js'
import { limitTime } from './hooks/limit-time.js'
import { requireDatabase } from './hooks/require-database.js'
import { keyRecord } from './keys/record.js'
import { createLogger, type Logger } from './logger.js'
import { allowedOrigin } from './http/allowed-origin.js'
import { errorHandler } from './http/error-handler.js'
import { guardedLookup } from './http/guarded-lookup.js'
import { noStore } from './http/no-store.js'
import { unreadableBody } from './http/unreadable-body.js'
import { metrics, publishedMetrics } from './metrics/metrics.js'
import { mongodb } from './mongodb.js'
import { openapi, publishedDocument } from './openapi/openapi.js'
import { page } from './http/account-page.js'
import { passwords } from './passwords/passwords.js'
import { publishedKeys } from './http/jwks.js'
import { rateLimits } from './rate-limits/rate-limits.js'
import { identifyRequests, requestIdHeader } from './http/request-id.js'
import { refuseOtherMethods } from './openapi/allowed-methods.js'
import { services } from './services/index.js'
import { announceRemoteUsers } from './sockets/remote-users.js'
import { guardSockets } from './sockets/guard.js'
import { both, fromKnownOrigin } from './sockets/origin.js'

export interface AppOptions {
  /** The clock: ms since 1970. */
  now?: () => number
  logger?: Logger
  /** Delivers mails instead of SMTP. Rejects if a mail should be tried again. */
  deliver?: Deliver
}

const preflightLife = 7200 // s: the longest that Chromium keeps an answer; Firefox keeps it longer

/**
 * Creates the app, in the order of the Feathers generator.
 *
 * @throws ConfigurationError
 */
export function createApp(
  settings: Configuration,
  { now = Date.now, logger = createLogger(), deliver }: AppOptions = {}
): Application {
  const app: Application = koa(feathers())
  const sockets = socketLimits(settings.limits, settings.proxies)

  for (const [name, value] of Object.entries(settings)) {
    app.set(name as keyof Configuration, value)
  }

  app.set('now', now)
  app.set('logger', logger)
  app.set('deliver', deliver)
  logger.level = settings.logLevel ?? logger.level
  // Koa then trusts the proxies for the protocol and the host as well
  app.proxy = settings.proxies > 0
  app.maxIpsCount = settings.proxies

  // Errors that Koa would print: connections that broke or timed out
  app.on('error', (error, ctx) =>
    logger.debug({ requestId: ctx?.feathers?.requestId, ...loggable(error) }, 'A request failed')
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
  app.use(noStore())
  app.use(
    bodyParser({ jsonLimit: settings.limits.body, urlencoded: false, text: false, onError: unreadableBody })
  )

  app.configure(refuseOtherMethods)
  app.configure(rest())
  // After the services, so that service calls don't pass through these
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
  app.configure(announceRemoteUsers)
  app.configure(openapi)
  app.configure(metrics)

  app.hooks({
    around: {
      all: [convertErrors(), limitTime(), checkArguments(), requireDatabase()]
    }
  })

  return app
}
