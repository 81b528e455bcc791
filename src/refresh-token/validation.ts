import { BadRequest } from '@feathersjs/errors'
import { Ajv, addFormats } from '@feathersjs/schema'
import type { TSchema, Static } from '@feathersjs/typebox'

const ajv = addFormats(new Ajv({ allErrors: true }), ['email'])

/** One mistake in a request: an entry of `errors` in a 400. */
export interface FieldError {
  /** The path of the field, with dots: `device.name` */
  field: string
  message: string
}

/** An error of Ajv, whose own type depends on the version that Feathers uses. */
export interface SchemaError {
  instancePath: string
  keyword: string
  params: Record<string, unknown>
  message?: string
}

// A request may have many thousand mistakes; an answer must not be larger than what it answers
const mostErrors = 20
const mostTranslated = 100 // errors of Ajv, of which a mistake may have several
const longestField = 100 // characters of a name that the client made up

/** A 400 that names the wrong fields; twenty at most. */
export function invalidData(errors: FieldError[]): BadRequest {
  const named = errors
    .slice(0, mostErrors)
    .map(({ field, message }) => ({ field: shortened(field), message }))
  const list = named
    .map(({ field, message }) => (field ? `'${field}' ${message}` : `it ${message}`))
    .join(', ')

  return new BadRequest(`Invalid data: ${list}`, { errors: named })
}

const shortened = (field: string): string =>
  field.length > longestField ? `${field.slice(0, longestField)}…` : field

/** The params of an Ajv error. Which ones it has depends on its keyword. */
interface KeywordParams {
  type: string[]
  format: string
  allowedValues: unknown[]
  allowedValue: unknown
  limit: number
}

// Ajv's own messages are written for the author of the schema; these are for the person who fills in the field
const messages: Record<string, (params: KeywordParams) => string> = {
  required: () => 'is required',
  additionalProperties: () => 'is not a known field',
  type: ({ type }) =>
    `must be ${[type]
      .flat()
      .map((name) => types[name])
      .join(' or ')}`,
  format: ({ format }) => `must be ${formats[format]}`,
  enum: ({ allowedValues }) => `must be one of ${allowedValues.map(quoted).join(', ')}`,
  const: ({ allowedValue }) => `must be ${quoted(allowedValue)}`,
  minLength: ({ limit }) => (limit === 1 ? 'must not be empty' : `must have at least ${limit} characters`),
  maxLength: ({ limit }) => `must have at most ${limit} characters`,
  minItems: ({ limit }) => (limit === 1 ? 'must not be empty' : `must have at least ${limit} entries`),
  maxItems: ({ limit }) => `must have at most ${limit} ${limit === 1 ? 'entry' : 'entries'}`,
  uniqueItems: () => 'must not have the same entry twice',
  minimum: ({ limit }) => `must be ${limit} or more`,
  maximum: ({ limit }) => `must be ${limit} or less`
}

const types: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  null: 'null'
}

const formats: Record<string, string> = {
  email: 'an email address, such as ada@example.com',
  'date-time': 'a date and time, such as 2025-01-31T12:00:00Z'
}

const quoted = (value: unknown): string => JSON.stringify(value)

/**
 * Translates the first hundred errors of Ajv. A missing or unknown field is named itself, rather than the object around
 * it. For a union, the errors of its alternatives are reported, with the types that they accept in one message.
 */
export function fieldErrors(all: SchemaError[]): FieldError[] {
  const errors = all.slice(0, mostTranslated)
  const translated = errors
    .filter(({ keyword }) => keyword !== 'anyOf')
    .map(({ instancePath, keyword, params, message = 'is not valid' }): FieldError => {
      const names = [params.missingProperty ?? params.additionalProperty ?? []].flat() as string[]
      const field = [...instancePath.split('/').slice(1), ...names].join('.')
      const type = typesAccepted(errors, instancePath)

      return { field, message: messages[keyword]?.({ ...params, type } as KeywordParams) ?? message }
    })

  return [...new Map(translated.map((error) => [`${error.field} ${error.message}`, error])).values()]
}

/** The types that are accepted at a path: those of all alternatives of a union. */
function typesAccepted(errors: SchemaError[], path: string): string[] {
  const accepted = errors
    .filter(({ keyword, instancePath }) => keyword === 'type' && instancePath === path)
    .flatMap(({ params }) => params.type as string | string[])

  return [...new Set(accepted)]
}

/**
 * Compiles a schema into a function that returns valid data, and throws a BadRequest with `errors` for any other.
 */
export function checkedBy<T extends TSchema>(schema: T): (data: unknown) => Static<T> {
  let validate: ReturnType<typeof ajv.compile<Static<T>>> | undefined

  return (data) => {
    validate ??= ajv.compile(schema) // takes milliseconds: all of them would hold up the start

    if (validate(data)) {
      return data
    }

    throw invalidData(fieldErrors(validate.errors as SchemaError[]))
  }
}
