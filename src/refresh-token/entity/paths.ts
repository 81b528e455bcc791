import type { Document } from 'mongodb'
import { isPlain } from '../sessions/copy.js'

/** The value at a path such as `auth.password`. */
export function valueAt(document: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce((value, name) => (value as Record<string, unknown> | undefined)?.[name], document)
}

/** A copy without what is at a path. */
export function without(document: Document, path: string): Document {
  const [name, ...inner] = path.split('.') as [string, ...string[]]
  const { [name]: value, ...others } = document

  if (inner.length === 0) {
    return others
  }

  return isPlain(value) ? { ...others, [name]: without(value, inner.join('.')) } : document
}
