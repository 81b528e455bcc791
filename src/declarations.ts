import type { HookContext as FeathersHookContext, NextFunction } from '@feathersjs/feathers'
import type { Application as FeathersApplication } from '@feathersjs/koa'
import type { Server } from 'socket.io'
import type { Configuration as Settings } from './configuration.js'
import type { Logger } from './logger.js'

export type { NextFunction }

/** What `app.get` returns: the settings, and the parts of the app. Code that sets a value also declares it here. */
export interface Configuration extends Settings {
  /** ms since 1970 */
  now: () => number
  logger: Logger
}

/** The services, by path. Each is declared where it is registered. */
export interface ServiceTypes {}

export type Application = FeathersApplication<ServiceTypes, Configuration> & { io: Server }

export type HookContext<S = unknown> = FeathersHookContext<Application, S>
