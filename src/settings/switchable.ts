import { Type, type Static, type TObject, type TProperties } from '@feathersjs/typebox'

/** An object or false. Not a union: a mistake inside one would only be reported as "matches neither". */
export function switchable<T extends TProperties>(properties: T, description: string) {
  return Type.Unsafe<Static<TObject<T>> | false>({
    ...Type.Object(properties, { additionalProperties: false }),
    type: ['object', 'boolean'],
    not: { const: true },
    description
  })
}
