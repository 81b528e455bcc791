import type { HookContext as FeathersHookContext, NextFunction } from '@feathersjs/feathers'
import type { Application as FeathersApplication } from '@feathersjs/koa'
import type { Server } from 'socket.io'
import type { Configuration as Settings } from './configuration.js'
import type { Logger } from './logger.js'
import type { Database } from './mongodb.js'
import type { OpenApiDocument } from './openapi/document.js'
import type { PasswordHasher } from './passwords.js'
import type { RateLimits } from './rate-limits/rate-limits.js'
import type { AuthenticationService } from './refresh-token/index.js'
import type { ContentService } from './services/content/content.class.js'
import type { HealthService } from './services/health/health.class.js'
import type { SessionService } from './services/sessions/sessions.class.js'
import type { UserService } from './services/users/users.class.js'
import type { User } from './services/users/users.schema.js'

export type { NextFunction }

/** What `app.get` holds: the settings, and what the app is built of. */
export interface Configuration extends Settings {
  /** ms since 1970 */
  now: () => number
  logger: Logger
  database: Database
  hasher: PasswordHasher
  rateLimits: RateLimits
  openapi: OpenApiDocument
}

/** The services, by path. */
export interface ServiceTypes {
  authentication: AuthenticationService
  content: ContentService
  health: HealthService
  sessions: SessionService
  users: UserService
}

export type Application = FeathersApplication<ServiceTypes, Configuration> & { io: Server }

export type HookContext<S = unknown> = FeathersHookContext<Application, S>

declare module '@feathersjs/feathers' {
  interface Params {
    /** Who asks: set by the `authenticate` hook, and without password and sessions. */
    user?: User
    /** The address of the client. */
    ip?: string
  }
}
