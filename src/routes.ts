import { MethodNotAllowed, NotFound } from '@feathersjs/errors'
import feathersPackage, { type Service } from '@feathersjs/feathers'
import type { Middleware as KoaMiddleware } from '@feathersjs/koa'
import type { Application } from './declarations.js'
import { docsOf, type ServiceDocs } from './openapi/service-docs.js'

type Middleware = KoaMiddleware<Application>
type Context = Parameters<Middleware>[0]

/** How a method of a service is called over HTTP. */
export interface Route {
  name: keyof ServiceDocs['methods'] | 'removeWithoutId'
  http: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Whether the path ends in an id. */
  hasId: boolean
}

const routes: Route[] = [
  { name: 'find', http: 'GET', hasId: false },
  { name: 'get', http: 'GET', hasId: true },
  { name: 'create', http: 'POST', hasId: false },
  { name: 'update', http: 'PUT', hasId: true },
  { name: 'patch', http: 'PATCH', hasId: true },
  { name: 'remove', http: 'DELETE', hasId: true },
  { name: 'removeWithoutId', http: 'DELETE', hasId: false }
]

const known = new WeakMap<Service, Route[]>() // asked for at each request

/** How a service is called over HTTP. A service without docs may be called as Feathers lets it: by all methods. */
export function routesOf(service: Service): Route[] {
  const found = known.get(service) ?? findRoutes(service)

  known.set(service, found)
  return found
}

function findRoutes(service: Service): Route[] {
  const { methods = [] } = feathersPackage.getServiceOptions(service)
  const docs = docsOf(service)

  return docs
    ? routes.filter(({ name }) =>
        name === 'removeWithoutId' ? docs.removeWithoutId !== undefined : methods.includes(name)
      )
    : routes.flatMap((route) => [
        { ...route, hasId: true },
        { ...route, hasId: false }
      ])
}

/**
 * Refuses what no service is called by before anything else is asked of the client. Feathers would make an entry of a
 * POST to another one's path, and ask for a token before it says that all entries at once can't be changed.
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

/** What may be done with a path. */
export function allowedAt({ service, params }: NonNullable<ReturnType<Application['lookup']>>): string[] {
  const hasId = params?.__id !== undefined
  const methods = routesOf(service as unknown as Service)
    .filter((route) => route.hasId === hasId)
    .map(({ http }) => http)

  return methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
}

/** @throws MethodNotAllowed with `Allow` (RFC 9110 §15.5.6); NotFound where nothing is allowed */
export function requireMethod(ctx: Context, allowed: string[]): void {
  if (allowed.length === 0) {
    throw new NotFound(`Path ${ctx.path} not found`)
  }
  if (!allowed.includes(ctx.method)) {
    ctx.set('Allow', allowed.join(', '))
    throw new MethodNotAllowed(`Method ${ctx.method} is not supported here`)
  }
}
