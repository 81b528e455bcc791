import { Type, type TObject, type TSchema } from '@feathersjs/typebox'
import { errorReferences, type ErrorStatus } from './errors.js'
import { plainSchema, type Json, type Named } from './plain-schema.js'
import type { Route } from './routes.js'
import type { OperationDocs, ServiceDocs } from './service-docs.js'

const security = {
  'signed in': [{ accessToken: [] }],
  anyone: [],
  'anyone, and more with a token': [{}, { accessToken: [] }]
}

/** The operation object for one method of a service. */
export function operation(
  service: string,
  route: Route,
  { id = Type.String() }: ServiceDocs,
  {
    summary,
    description,
    query,
    data,
    example,
    answer,
    headers,
    errors = [],
    access = 'signed in'
  }: OperationDocs,
  named: Named
): Json {
  const parameters = [
    ...(route.hasId ? [{ name: 'id', in: 'path', required: true, schema: plainSchema(id, named) }] : []),
    ...(query ? queryParameters(query, named) : [])
  ]
  const statuses: ErrorStatus[] = [
    400,
    ...(access === 'signed in' ? ([401] as const) : []),
    ...(route.hasId ? ([404] as const) : []),
    ...errors,
    ...(data ? ([413] as const) : []),
    503
  ]

  return {
    operationId: `${route.name}-${service}`,
    tags: [service],
    summary,
    ...(description && { description }),
    security: security[access],
    ...(parameters.length > 0 && { parameters }),
    ...(data && { requestBody: { required: true, content: json(data, named, example) } }),
    responses: {
      [route.http === 'POST' ? '201' : '200']: {
        description: summary,
        ...(headers && { headers: stringHeaders(headers) }),
        content: json(answer, named)
      },
      ...errorReferences(statuses)
    }
  }
}

const json = (schema: TSchema, named: Named, example?: object) => ({
  'application/json': { schema: plainSchema(schema, named), ...(example && { example }) }
})

const stringHeaders = (headers: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }])
  )

/**
 * The fields of a query, as far as OpenAPI can express them as parameters: without operators on fields, and without lists
 * of queries (`$or`).
 */
function queryParameters({ properties, required = [] }: TObject, named: Named): Json[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const schema = plainSchema((field.anyOf as TSchema[] | undefined)?.[0] ?? field, named)
    const { type, items } = schema as { type?: string; items?: Json }
    const isRequired = required.includes(name) && { required: true }

    if (type === 'array') {
      return items?.type === 'object' ? [] : [{ name: `${name}[]`, in: 'query', schema, ...isRequired }]
    }

    return [{ name, in: 'query', ...(type === 'object' && { style: 'deepObject' }), schema, ...isRequired }]
  })
}
