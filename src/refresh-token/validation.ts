import { BadRequest } from '@feathersjs/errors'
import { Ajv, addFormats } from '@feathersjs/schema'
import type { TSchema, Static } from '@feathersjs/typebox'

const ajv = addFormats(new Ajv({ allErrors: true }), ['email'])

/** One thing that is wrong with a request: the entries of `errors` in a 400. */
export interface FieldError {
  /** The field, with dots where it lies deeper: `device.name` */
  field: string
  message: string
}

/** What Ajv says of one mistake; its own type depends on the version that Feathers brings. */
export interface SchemaError {
  instancePath: string
  keyword: string
  params: Record<string, unknown>
  message?: string
}

/** 400 that names each wrong field. */
export function invalidData(errors: FieldError[]): BadRequest {
  const list = errors
    .map(({ field, message }) => (field ? `'${field}' ${message}` : `it ${message}`))
    .join(', ')

  return new BadRequest(`Invalid data: ${list}`, { errors })
}

/** Turns Ajv's errors into ours: a missing or unknown field is named itself, not the object around it. */
export function fieldErrors(errors: SchemaError[]): FieldError[] {
  return errors.map(({ instancePath, keyword, params, message = 'is not valid' }) => {
    const path = instancePath.split('/').slice(1)

    if (keyword === 'required') {
      return { field: [...path, params.missingProperty].join('.'), message: 'is required' }
    }
    if (keyword === 'additionalProperties') {
      return { field: [...path, params.additionalProperty].join('.'), message: 'is not a known field' }
    }
    return { field: path.join('.'), message }
  })
}

/**
 * A function that returns the data when the schema fits it.
 *
 * @throws BadRequest with `errors` (in the returned function)
 */
export function checkedBy<T extends TSchema>(schema: T): (data: unknown) => Static<T> {
  const validate = ajv.compile(schema)

  return (data) => {
    if (validate(data)) {
      return data
    }

    throw invalidData(fieldErrors(validate.errors as SchemaError[]))
  }
}
