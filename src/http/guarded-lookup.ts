import type { Application } from '../declarations.js'

const mostSegments = 10 // of a path: services have one, and their ids another

/**
 * Answers 404 to paths that make Feathers' router fail, or work for seconds: it looks names such as `__proto__` up in
 * plain objects, and takes time with the square of the number of slashes.
 */
export const guardedLookup = (app: Application) => {
  const lookup = app.lookup.bind(app)

  app.lookup = (path: string) =>
    // Feathers returns null where there is no service, although its type doesn't say so
    typeof path === 'string' && isHostile(path) ? (null as never) : lookup(path)
}

function isHostile(path: string): boolean {
  const segments = path.split('/', mostSegments + 1)

  return segments.length > mostSegments || segments.some((segment) => segment in Object.prototype)
}
