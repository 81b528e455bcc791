import { getDispatch, setDispatch } from '@feathersjs/schema'

const maxDepth = 100 // nested objects: MongoDB's own limit (an object within itself has no end)

/**
 * Copies a document, or what a service made of it: objects, arrays and whatever else can be changed in place, such as
 * dates, with the external views that resolvers attached. Ids and instances of the app's own classes are shared.
 */
export function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null) {
    return value
  }
  if (Array.isArray(value)) {
    return value.map((item: unknown) => copyOf(item)) as T
  }
  if (!isPlain(value)) {
    return copyOfInstance(value) as T
  }

  const copy = membersOf(value, {})

  return withView(copy, copyOf(getDispatch(value))) as T
}

/** Whether `copyOf` shares nothing of a value that can be changed. */
export function isCopyable(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null) {
    return typeof value !== 'function'
  }
  if (Array.isArray(value) || isPlain(value)) {
    return (
      depth < maxDepth &&
      [...Object.values(value), getDispatch(value)].every((member) => isCopyable(member, depth + 1))
    )
  }

  return isId(value) || copyOfInstance(value) !== value
}

/** Whether a value is an object as the database gives it: not an instance of a class. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

/** Attaches the external view that Feathers answers to clients, if there is one. */
export function withView<T extends object>(entity: T, view: unknown): T {
  if (view) {
    setDispatch(entity, view)
  }

  return entity
}

/** A copy of what the driver and apps store in a document; other instances are returned unchanged. */
function copyOfInstance(value: object): object {
  if (value instanceof Date) {
    return new Date(value.getTime())
  }
  if (value instanceof Uint8Array) {
    return Buffer.isBuffer(value) ? Buffer.from(value) : value.slice()
  }
  if (value instanceof Map) {
    return new Map(copyOf([...value] as [unknown, unknown][]))
  }
  if (value instanceof Set) {
    return new Set(copyOf([...value]))
  }
  if ('_bsontype' in value && !isId(value)) {
    return membersOf(value, Object.create(Object.getPrototypeOf(value) as object) as object)
  }

  return value
}

const isId = (value: object) => (value as { _bsontype?: unknown })._bsontype === 'ObjectId'

function membersOf<T extends object>(value: object, copy: T): T {
  for (const name of Object.keys(value)) {
    const member = copyOf((value as Record<string, unknown>)[name])

    if (name === '__proto__') {
      // A field of that name must stay one: assigning it would make others appear
      Object.defineProperty(copy, name, {
        value: member,
        enumerable: true,
        configurable: true,
        writable: true
      })
    } else {
      ;(copy as Record<string, unknown>)[name] = member
    }
  }

  return copy
}
