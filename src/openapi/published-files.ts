import { Type } from '@feathersjs/typebox'
import { plainSchema, type Json, type Named } from './plain-schema.js'

const keySet = Type.Object({ keys: Type.Array(Type.Object({ kty: Type.String(), kid: Type.String() })) })
const openApi = Type.Object({ openapi: Type.Literal('3.1.0') })

/** The paths that are not served by a service. */
export const publishedFiles = (named: Named) => ({
  '/.well-known/jwks.json': file(
    'The public keys of access tokens',
    'application/jwk-set+json',
    plainSchema(keySet, named)
  ),
  '/openapi.json': file('This document', 'application/json', plainSchema(openApi, named))
})

function file(summary: string, type: string, schema: Json): Record<string, Json> {
  const headers = {
    'Cache-Control': { description: 'How long it may be cached', schema: { type: 'string' } }
  }

  return {
    get: {
      summary,
      tags: ['files'],
      security: [],
      responses: { 200: { description: summary, headers, content: { [type]: { schema } } } }
    }
  }
}
