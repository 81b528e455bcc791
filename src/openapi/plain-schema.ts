import type { TSchema } from '@feathersjs/typebox'

/** JSON Schema, as in the document. */
export type Json = { [key: string]: unknown }

// Our own keywords, expressed with standard ones
const translations: Record<string, (value: never) => Json> = {
  objectid: () => ({ type: 'string', pattern: '^[0-9a-fA-F]{24}$' }),
  date: () => ({ type: 'string', format: 'date-time' }),
  passwordLength: ([minLength, maxLength]: [number, number]) => ({
    minLength,
    maxLength,
    format: 'password',
    description: 'Its characters are counted once it is normalized (NFKC)'
  })
}

/** The schemas that have a name (`$id`), collected during translation. */
export type Named = Map<string, Json>

/** Translates a TypeBox schema to JSON Schema 2020-12. Schemas with an `$id` are added to `named` and referenced. */
export function plainSchema(schema: TSchema, named: Named): Json {
  const { $id, ...rest } = schema
  const plain = Object.fromEntries(
    Object.entries(rest).flatMap(([key, value]) => translated(key, value, named))
  )

  if ($id === undefined) {
    return plain
  }

  named.set($id, plain)
  return { $ref: `#/components/schemas/${$id}` }
}

function translated(key: string, value: unknown, named: Named): [string, unknown][] {
  const translate = Object.hasOwn(translations, key) && translations[key]

  return translate ? Object.entries(translate(value as never)) : [[key, inner(key, value, named)]]
}

function inner(key: string, value: unknown, named: Named): unknown {
  if (Array.isArray(value)) {
    return ['anyOf', 'oneOf', 'allOf'].includes(key)
      ? value.map((part: TSchema) => plainSchema(part, named))
      : value
  }
  if (key === 'properties' || key === 'patternProperties') {
    const fields = Object.entries(value as Record<string, TSchema>)

    return Object.fromEntries(fields.map(([name, field]) => [name, plainSchema(field, named)]))
  }

  return typeof value === 'object' && value !== null ? plainSchema(value as TSchema, named) : value
}
