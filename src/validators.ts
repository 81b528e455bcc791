import { Ajv, addFormats } from '@feathersjs/schema'
import type { TSchema } from '@feathersjs/typebox'
import { keywordObjectId } from '@feathersjs/mongodb'
import { fieldErrors, invalidData, type SchemaError } from './refresh-token/validation.js'

const formats: Parameters<typeof addFormats>[1] = ['date-time', 'email']

/** Data is taken as it is typed; a query comes as strings over REST, so those are coerced. */
const data = withKeywords(addFormats(new Ajv({ allErrors: true }), formats))
const query = withKeywords(addFormats(new Ajv({ allErrors: true, coerceTypes: true }), formats))

export type Validator = (value: unknown) => Promise<unknown>

/** For `schemaHooks.validateData`. @throws BadRequest with `errors` (in the returned function) */
export const getDataValidator = (schema: TSchema): Validator => validatorOf(data, schema)

/** For `schemaHooks.validateQuery`. @throws BadRequest with `errors` (in the returned function) */
export const getQueryValidator = (schema: TSchema): Validator => validatorOf(query, schema)

/** Passwords are compared as they look: what one keyboard composes, another may not (NIST SP 800-63B §5.1.1.2). */
export const normalizePassword = (password: string) => password.normalize('NFKC')

/**
 * The one name of an account, however it is typed. The collation that users are looked up with takes many names for
 * one: it sees no difference in case, nor in width, and no soft hyphens at all.
 */
export const accountName = (username: string): string =>
  username.normalize('NFKC').toLowerCase().normalize('NFKC')

function validatorOf(ajv: Ajv, schema: TSchema): Validator {
  const validate = ajv.compile(schema)

  return async (value) => {
    if (validate(value)) {
      return value
    }

    throw invalidData(fieldErrors(validate.errors as SchemaError[]))
  }
}

function withKeywords(ajv: Ajv): Ajv {
  ajv.addKeyword(keywordObjectId)
  ajv.addKeyword({
    keyword: 'passwordLength',
    type: 'string',
    validate: ([least, most]: [number, number], value: string) => {
      const { length } = Array.from(normalizePassword(value)) // code points

      return value.isWellFormed() && length >= least && length <= most
    },
    error: { message: ({ schema: [least, most] }) => `must have ${least} to ${most} characters` }
  })

  // As toISOString writes it (RFC 3339): of other strings Date makes something, too
  const isDateTime = ajv.compile({ type: 'string', format: 'date-time' })

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
        value instanceof Date || isDateTime(value) ? new Date(value as string | Date) : new Date(NaN)
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
