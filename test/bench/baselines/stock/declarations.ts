import type { AuthenticationService } from '@feathersjs/authentication'
import type { HookContext as FeathersHookContext, NextFunction } from '@feathersjs/feathers'
import type { Application as FeathersApplication } from '@feathersjs/koa'
import type { MongoDBService } from '@feathersjs/mongodb'
import type { Db } from 'mongodb'
import type { ContentService } from './content.js'

export type { NextFunction }

interface Configuration {
  mongodb: Db
  paginate: { default: number; max: number }
  authentication: Record<string, unknown>
}

interface ServiceTypes {
  authentication: AuthenticationService
  content: ContentService
  users: MongoDBService
}

export type Application = FeathersApplication<ServiceTypes, Configuration>
export type HookContext = FeathersHookContext<Application>
