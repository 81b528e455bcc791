import type { HookContext as FeathersHookContext, NextFunction } from '@feathersjs/feathers'
import type { Application as FeathersApplication } from '@feathersjs/koa'
import type { Registry } from 'prom-client'
import type { Server } from 'socket.io'
import type { Configuration as Settings } from './configuration.js'
import type { EventDraft } from './events/event.js'
import type { EventQueue } from './events/event-queue.js'
import type { EventStore } from './events/event-store.js'
import type { Logger } from './logger.js'
import type { Database } from './mongodb.js'
import type { OpenApiDocument } from './openapi/document.js'
import type { PasswordHasher } from './passwords.js'
import type { RateLimits } from './rate-limits/rate-limits.js'
import type { AuthenticationService } from './refresh-token/index.js'
import type { ContentService } from './services/content/content.class.js'
import type { EventService } from './services/events/events.class.js'
import type { HealthService } from './services/health/health.class.js'
import type { ReadyService } from './services/ready/ready.class.js'
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
  /** The audit trail, and what is on the way to it; with `events` only. */
  eventStore: EventStore
  eventQueue: EventQueue<EventDraft>
  /** What this process has counted; with `metrics` only. */
  metricsRegistry: Registry
  /** What all have counted, as Prometheus reads it; with `metrics` only. */
  scrape: () => Promise<string>
}

/** The services, by path. */
export interface ServiceTypes {
  authentication: AuthenticationService
  content: ContentService
  /** With `events` only. */
  events: EventService
  health: HealthService
  ready: ReadyService
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
    /** Names the request in the log; of a call over a socket, the socket. */
    requestId?: string
  }
}
