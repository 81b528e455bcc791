import type { HookContext as FeathersHookContext, NextFunction } from '@feathersjs/feathers'
import type { Application as FeathersApplication } from '@feathersjs/koa'
import type { Server } from 'socket.io'
import type { Configuration as Settings } from './configuration.js'
import type { Logger } from './logger.js'

export type { NextFunction }

/** What `app.get` returns: the settings, and what the app is built from. Whoever sets something declares it here. */
export interface Configuration extends Settings {
  /** ms since 1970 */
  now: () => number
  logger: Logger
}

/** The services, by path. Each declares itself, where it is registered. */
export interface ServiceTypes {}

export type Application = FeathersApplication<ServiceTypes, Configuration> & { io: Server }

export type HookContext<S = unknown> = FeathersHookContext<Application, S>
