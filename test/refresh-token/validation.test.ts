import { Ajv, addFormats } from '@feathersjs/schema'
import { Type, type TSchema } from '@feathersjs/typebox'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkedBy, fieldErrors, type SchemaError } from '../../src/refresh-token/validation.js'

/** The errors in the 400 for that data. */
function errorsOf(schema: TSchema, data: unknown): unknown {
  try {
    checkedBy(schema)(data)
  } catch (error) {
    return (error as { errors: unknown }).errors
  }
}

describe('a 400', () => {
  const wrong: [string, TSchema, unknown, string][] = [
    ['a number', Type.String(), 1, 'must be a string'],
    ['a string', Type.Number(), 'x', 'must be a number'],
    ['half a number', Type.Integer(), 0.5, 'must be a whole number'],
    ['a string for a switch', Type.Boolean(), 'yes', 'must be true or false'],
    ['a string for an object', Type.Object({}), 'x', 'must be an object'],
    ['a string for a list', Type.Array(Type.String()), 'x', 'must be a list'],
    ['a string for nothing', Type.Null(), 'x', 'must be null'],
    [
      'no email',
      Type.String({ format: 'email' }),
      'ada',
      'must be an email address, such as ada@example.com'
    ],
    ['another word', Type.Unsafe({ enum: ['user', 'admin'] }), 'root', 'must be one of "user", "admin"'],
    ['another value', Type.Literal(false), true, 'must be false'],
    ['an empty string', Type.String({ minLength: 1 }), '', 'must not be empty'],
    ['a short string', Type.String({ minLength: 8 }), 'x', 'must have at least 8 characters'],
    ['a long string', Type.String({ maxLength: 2 }), 'xyz', 'must have at most 2 characters'],
    ['an empty list', Type.Array(Type.String(), { minItems: 1 }), [], 'must not be empty'],
    ['a short list', Type.Array(Type.String(), { minItems: 2 }), ['x'], 'must have at least 2 entries'],
    ['a long list', Type.Array(Type.String(), { maxItems: 1 }), ['x', 'y'], 'must have at most 1 entry'],
    [
      'a longer list',
      Type.Array(Type.String(), { maxItems: 2 }),
      ['x', 'y', 'z'],
      'must have at most 2 entries'
    ],
    [
      'a repeated entry',
      Type.Array(Type.String(), { uniqueItems: true }),
      ['x', 'x'],
      'must not have the same entry twice'
    ],
    ['a small number', Type.Number({ minimum: 3 }), 2, 'must be 3 or more'],
    ['a large number', Type.Number({ maximum: 3 }), 4, 'must be 3 or less'],
    [
      'what no alternative accepts',
      Type.Union([Type.String(), Type.Object({})]),
      1,
      'must be a string or an object'
    ]
  ]

  for (const [what, schema, value, message] of wrong) {
    it(`says what the field must be, given ${what}`, () => {
      assert.deepEqual(errorsOf(Type.Object({ field: schema }), { field: value }), [
        { field: 'field', message }
      ])
    })
  }

  it('names the path of a field, also of a missing and of an unknown one', () => {
    const device = Type.Object({ name: Type.String() }, { additionalProperties: false })
    const schema = Type.Object({ device })

    assert.deepEqual(errorsOf(schema, { device: { name: 1 } }), [
      { field: 'device.name', message: 'must be a string' }
    ])
    assert.deepEqual(errorsOf(schema, { device: {} }), [{ field: 'device.name', message: 'is required' }])
    assert.deepEqual(errorsOf(schema, { device: { name: 'x', color: 'red' } }), [
      { field: 'device.color', message: 'is not a known field' }
    ])
  })

  it('says everything in its message too', () => {
    const check = checkedBy(Type.Object({ email: Type.String({ format: 'email' }), name: Type.String() }))

    assert.throws(() => check({ email: 'ada' }), {
      name: 'BadRequest',
      message: "Invalid data: 'name' is required, 'email' must be an email address, such as ada@example.com"
    })
    assert.throws(() => check(1), { message: 'Invalid data: it must be an object' })
  })
})

describe('the errors of a schema', () => {
  const ajv = addFormats(new Ajv({ allErrors: true }), ['date-time'])

  it('know the format of dates', () => {
    const validate = ajv.compile({ type: 'string', format: 'date-time' })

    validate('today')
    assert.deepEqual(fieldErrors(validate.errors as SchemaError[]), [
      { field: '', message: 'must be a date and time, such as 2025-01-31T12:00:00Z' }
    ])
  })

  it('keep the message of any other keyword', () => {
    const error = { instancePath: '/name', keyword: 'pattern', params: {} }

    assert.deepEqual(fieldErrors([{ ...error, message: 'must match the pattern' }, error]), [
      { field: 'name', message: 'must match the pattern' },
      { field: 'name', message: 'is not valid' }
    ])
  })
})
