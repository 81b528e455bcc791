import { Ajv, addFormats } from '@feathersjs/schema'
import type { TSchema } from '@feathersjs/typebox'
import { keywordObjectId } from '@feathersjs/mongodb'
import { passwordLength } from './passwords/normalize.js'
import { invalidData } from './refresh-token/index.js'
import { fieldErrors, type SchemaError } from './refresh-token/internal.js'

const formats: Parameters<typeof addFormats>[1] = ['date-time', 'email']

/** Data must have the right types; queries are strings over REST, so their values are coerced. */
const data = withKeywords(addFormats(new Ajv({ allErrors: true }), formats))
const query = withKeywords(addFormats(new Ajv({ allErrors: true, coerceTypes: true }), formats))

export type Validator = (value: unknown) => Promise<unknown>

/** For `schemaHooks.validateData`. @throws BadRequest with `errors` (in the returned function) */
export const getDataValidator = (schema: TSchema): Validator => validatorOf(data, schema)

/** For `schemaHooks.validateQuery`. @throws BadRequest with `errors` (in the returned function) */
export const getQueryValidator = (schema: TSchema): Validator => validatorOf(query, schema)

function validatorOf(ajv: Ajv, schema: TSchema): Validator {
  let validate: ReturnType<Ajv['compile']> | undefined

  return async (value) => {
    validate ??= ajv.compile(schema) // takes milliseconds: all of them would hold up the start

    if (validate(value)) {
      return value
    }

    throw invalidData(fieldErrors(validate.errors as SchemaError[]))
  }
}

function withKeywords(ajv: Ajv): Ajv {
  ajv.addKeyword({ ...keywordObjectId, error: { message: 'must be an id of 24 hexadecimal digits' } })
  ajv.addKeyword({
    keyword: 'passwordLength',
    type: 'string',
    validate: ([least, most]: [number, number], value: string) => {
      const length = passwordLength(value)

      return value.isWellFormed() && length >= least && length <= most
    },
    error: { message: ({ schema: [least, most] }) => `must have ${least} to ${most} characters` }
  })

  // RFC 3339, as toISOString writes it: Date would parse other strings too
  const dateTime = { type: 'string', format: 'date-time' }

  ajv.addKeyword({
    keyword: 'date',
    modifying: true,
    validate: (
      _: true,
      value: unknown,
      _parent: unknown,
      at?: { parentData: Record<string, unknown>; parentDataProperty: string | number }
    ) => {
      const date =
        value instanceof Date || ajv.validate(dateTime, value)
          ? new Date(value as string | Date)
          : new Date(NaN)
      const valid = !Number.isNaN(date.getTime())

      if (valid) {
        at!.parentData[at!.parentDataProperty] = date
      }

      return valid
    },
    error: { message: 'must be a date and time, such as "2025-01-31T12:00:00Z"' }
  })

  return ajv
}
