import type { Service } from '@feathersjs/feathers'
import { readFileSync } from 'node:fs'
import type { Application } from '../declarations.js'
import { errorResponses } from './errors.js'
import { operation } from './operation.js'
import type { Json, Named } from './plain-schema.js'
import { publishedFiles } from './published-files.js'
import { routesOf } from './routes.js'
import { docsOf } from './service-docs.js'

/** An OpenAPI document. */
export interface OpenApiDocument extends Json {
  openapi: string
  paths: Record<string, Record<string, Json>>
}

const description = `Users, their sign-ins and sessions.

Errors are those of Feathers. A method that is not listed here for a path is answered with 405 and \`Allow\`. The same services,
with the same data and errors, are called over Socket.IO. Queries may use Feathers' operators in brackets, such as
\`name[$ne]=Ada\`, and \`$or\` and \`$and\`.`

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

/** Describes the app's services in OpenAPI 3.1, with the schemas that they validate with. */
export function makeDocument(app: Application): OpenApiDocument {
  const named: Named = new Map()
  const paths = { ...servicePaths(app, named), ...publishedFiles(named) }

  return {
    openapi: '3.1.0',
    info: { title: 'Moult', version, description, license: { name: 'MIT', identifier: 'MIT' } },
    paths,
    tags: servicesOf(app).map(([name, { docs }]) => ({ name, description: docs.description })),
    components: {
      securitySchemes: {
        accessToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'The access token of a sign-in'
        }
      },
      responses: errorResponses(named),
      schemas: Object.fromEntries(named)
    }
  }
}

function servicePaths(app: Application, named: Named): OpenApiDocument['paths'] {
  const paths: OpenApiDocument['paths'] = {}

  for (const [name, { service, docs }] of servicesOf(app)) {
    for (const route of routesOf(service)) {
      const documented = route.name === 'removeWithoutId' ? docs.removeWithoutId : docs.methods[route.name]
      const path = route.hasId ? `/${name}/{id}` : `/${name}`

      if (documented) {
        paths[path] = {
          ...paths[path],
          [route.http.toLowerCase()]: operation(name, route, docs, documented, named)
        }
      }
    }
  }

  return paths
}

/** The services that have docs. */
function servicesOf(app: Application) {
  return Object.entries(app.services as unknown as Record<string, Service>).flatMap(([name, service]) => {
    const docs = docsOf(service)

    return docs ? [[name, { service, docs }] as const] : []
  })
}
