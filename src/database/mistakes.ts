const differentCase = 13297 // MongoDB's error code

interface DriverError extends Error {
  code?: unknown
  path?: string
  syscall?: string
  dependencyName?: string
}

/**
 * A sentence for a connection string that can be read, but asks for what isn't there. Undefined for other errors: of a
 * database that can't be reached, say.
 */
export function mistakeOf(error: unknown): string | undefined {
  const { name, code, path, syscall, message, dependencyName } = error as DriverError
  const [, there, named] = /already have: \[(.*?)\] trying to create \[(.*?)\]/.exec(message) ?? []

  if (code === differentCase && there !== undefined) {
    return `mongodb names the database "${named}", but there is one called "${there}": write the name as it is there`
  }
  if (path !== undefined && (syscall === 'open' || syscall === 'read')) {
    return `mongodb names the file "${path}", which can not be read (${String(code)}): write the path of a PEM file`
  }
  if (name === 'MongoMissingDependencyError') {
    return `mongodb needs the package ${dependencyName} for what it asks for: install it, or write another authMechanism`
  }

  return undefined
}
