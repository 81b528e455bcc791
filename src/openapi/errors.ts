import { StringEnum, Type, type TSchema } from '@feathersjs/typebox'
import { plainSchema, type Json, type Named } from './plain-schema.js'
import type { DocumentedError } from './service-docs.js'

export type ErrorStatus = DocumentedError | 400 | 405 | 413 | 503

interface ErrorDocs {
  name: string
  description: string
  /** Fields of the body, in addition to those of all errors. */
  fields?: Record<string, TSchema>
  headers?: Json
}

const header = (description: string, required: boolean, schema: Json) => ({ description, required, schema })
const seconds = { type: 'integer', minimum: 1 }
const retryAfter = Type.Integer({ minimum: 1, description: 'When to try again, in seconds' })

const fieldErrors = Type.Array(
  Type.Object({ field: Type.String(), message: Type.String() }, { additionalProperties: false })
)
const reasons = StringEnum([
  'invalid',
  'expired',
  'revoked',
  'reused',
  'disabled',
  'unverified',
  'factor',
  'step-up'
])
const challenge = Type.String({ description: 'With the reason `factor`: what the second step answers' })
const factors = Type.Array(Type.String(), { description: 'The strategies that give what is asked for' })
const within = Type.Number({ description: 'With the reason `step-up`: how recent the sign-in has to be, s' })

const errors: Record<ErrorStatus, ErrorDocs> = {
  400: {
    name: 'BadRequest',
    description:
      'The request is malformed; `errors` names each wrong field. Or a link was refused: then `data.reason` says why',
    fields: {
      errors: Type.Optional(fieldErrors),
      data: Type.Optional(Type.Object({ reason: Type.Optional(StringEnum(['invalid', 'expired'])) }))
    }
  },
  401: {
    name: 'NotAuthenticated',
    description: 'No credentials, or refused ones: then `data.reason` says why',
    fields: {
      data: Type.Optional(
        Type.Object({
          reason: Type.Optional(reasons),
          retryAfter: Type.Optional(Type.Number()),
          challenge: Type.Optional(challenge),
          factors: Type.Optional(factors),
          within: Type.Optional(within)
        })
      )
    },
    headers: {
      'WWW-Authenticate': header('RFC 6750 §3, RFC 9470 §3', true, {
        type: 'string',
        pattern: '^Bearer( error=("invalid_token"|"insufficient_user_authentication", max_age=[0-9]+))?$'
      })
    }
  },
  403: { name: 'Forbidden', description: 'The caller may not do that' },
  404: { name: 'NotFound', description: 'There is no such entry, or the caller may not see it' },
  405: {
    name: 'MethodNotAllowed',
    description: 'The path does not support this method',
    headers: { Allow: header('The methods that it supports', true, { type: 'string' }) }
  },
  409: {
    name: 'Conflict',
    description: 'The email is taken, or the password has been changed in the meantime',
    fields: { errors: Type.Optional(fieldErrors) }
  },
  413: { name: 'PayloadTooLarge', description: 'The body is larger than the service accepts' },
  429: {
    name: 'TooManyRequests',
    description: 'Too many attempts',
    fields: { data: Type.Object({ retryAfter }) },
    headers: { 'Retry-After': header('Seconds', true, seconds) }
  },
  503: {
    name: 'Unavailable',
    description: 'The database can not be reached, or too many passwords wait to be hashed',
    fields: { data: Type.Optional(Type.Object({ retryAfter: Type.Optional(retryAfter) })) },
    headers: { 'Retry-After': header('Seconds', false, seconds) }
  }
}

/** References to the responses for these statuses. */
export function errorReferences(statuses: Iterable<ErrorStatus>): Json {
  const entries = [...new Set(statuses)].map((status) => [
    String(status),
    { $ref: `#/components/responses/${errors[status].name}` }
  ])

  return Object.fromEntries(entries) as Json
}

/** The responses that the references point to. */
export function errorResponses(named: Named): Json {
  return Object.fromEntries(
    Object.entries(errors).map(([status, { name, description, headers, fields }]) => {
      const schema = plainSchema(errorSchema(name, Number(status), fields), named)

      return [name, { description, ...(headers && { headers }), content: { 'application/json': { schema } } }]
    })
  )
}

/** The body of an error, as Feathers sends it. */
function errorSchema(name: string, code: number, fields: Record<string, TSchema> = {}) {
  return Type.Object({
    name: Type.Literal(name),
    message: Type.String(),
    code: Type.Literal(code),
    className: Type.String(),
    ...fields
  })
}
