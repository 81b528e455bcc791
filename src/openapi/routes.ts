import feathersPackage, { type Service } from '@feathersjs/feathers'
import { docsOf, type ServiceDocs } from './service-docs.js'

/** How a service method is called over HTTP. */
export interface Route {
  name: keyof ServiceDocs['methods'] | 'removeWithoutId'
  http: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Whether the path ends with an id. */
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

/** How a service is called over HTTP. A service without docs accepts all methods, as in Feathers. */
export function routesOf(service: Service): Route[] {
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
