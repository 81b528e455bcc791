import { getDispatch, setDispatch } from '@feathersjs/schema'

/** Copies objects and arrays, including the external views that resolvers attached. Other values are shared. */
export function copyOf<T>(value: T): T {
  if (Array.isArray(value)) {
    return value.map(copyOf) as T
  }
  if (!isPlain(value)) {
    return value
  }

  const copy: Record<string, unknown> = {}

  for (const [name, member] of Object.entries(value)) {
    copy[name] = copyOf(member)
  }

  return withView(copy, copyOf(getDispatch(value))) as T
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
