import { feathers } from '@feathersjs/feathers'
import { bodyParser, cors, koa, rest } from '@feathersjs/koa'
import socketio from '@feathersjs/socketio'
import { authentication } from './authentication.js'
import { channels } from './channels.js'
import { configured, type Configuration } from './configuration.js'
import type { Application } from './declarations.js'
import { securityHeaders } from './headers.js'
import { checkArguments } from './hooks/check-arguments.js'
import { convertErrors } from './hooks/convert-errors.js'
import { limitTime } from './hooks/limit-time.js'
import { requireDatabase } from './hooks/require-database.js'
import { createLogger, type Logger } from './logger.js'
import { clientAddress, errorHandler, guardedLookup, notStored } from './middleware.js'
import { mongodb } from './mongodb.js'
import { passwords } from './passwords.js'
import { services } from './services/index.js'
import { guardSockets } from './sockets.js'

export interface AppOptions {
  /** The clock: ms since 1970. */
  now?: () => number
  logger?: Logger
}

const largestRequest = 100_000 // bytes: users and tokens take a few hundred

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

  app.configure(configured(settings))
  app.set('now', now)
  app.set('logger', logger)

  app.use(securityHeaders())
  app.use(errorHandler())
  app.use(cors({ origin: allowedOrigin(settings.origins) }))
  app.use(clientAddress())
  app.use(notStored())
  app.use(bodyParser({ jsonLimit: largestRequest, urlencoded: false, text: false }))

  app.configure(rest())
  app.configure(
    socketio({ cors: { origin: settings.origins }, maxHttpBufferSize: largestRequest }, guardSockets(app))
  )
  app.configure(guardedLookup)
  app.configure(mongodb)
  app.configure(passwords)
  app.configure(authentication)
  app.configure(services)
  app.configure(channels)

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
