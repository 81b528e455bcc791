import type { Service } from '@feathersjs/feathers'
import type { Middleware as KoaMiddleware } from '@feathersjs/koa'
import type { Application } from '../declarations.js'
import { requireMethod } from '../http/require-method.js'
import { routesOf } from './routes.js'

type Middleware = KoaMiddleware<Application>

/**
 * Refuses HTTP methods that a service doesn't have, before anything else is checked. Feathers would create an entry on
 * `POST /users/:id`, and require a token before it refuses to change all entries at once.
 */
export const refuseOtherMethods = (app: Application) => {
  app.mixins.push((_service: unknown, _path: string, options: { koa?: { before?: Middleware[] } }) => {
    options.koa = { ...options.koa, before: [refuseOther, ...(options.koa?.before ?? [])] }
  })
}

const refuseOther: Middleware = (ctx, next) => {
  const isCustom = ctx.method === 'POST' && ctx.get('X-Service-Method') !== ''

  if (!isCustom) {
    requireMethod(ctx, allowedAt(ctx.lookup!))
  }

  return next()
}

const allowed = new WeakMap<object, [withoutId: string[], withId: string[]]>() // they are needed at each request

/** The HTTP methods that a path allows. */
export function allowedAt({ service, params }: NonNullable<ReturnType<Application['lookup']>>): string[] {
  const found = allowed.get(service) ?? [methodsOf(service, false), methodsOf(service, true)]

  allowed.set(service, found)
  return found[params?.__id === undefined ? 0 : 1]
}

function methodsOf(service: object, hasId: boolean): string[] {
  const methods = routesOf(service as Service)
    .filter((route) => route.hasId === hasId)
    .map(({ http }) => http)

  return methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
}
