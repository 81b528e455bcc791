import { Database } from './database/database.js'
import type { Application, NextFunction } from './declarations.js'

/** `app.get('database')`: prepared before the services are set up. */
export const mongodb = (app: Application) => {
  const database = new Database(app.get('mongodb')!, app.get('logger'))

  app.set('database', database)
  app.hooks({
    setup: [
      async (_context: unknown, next: NextFunction) => {
        await database.prepare()
        await next()
      }
    ]
  })
}

declare module './declarations.js' {
  interface Configuration {
    database: Database
  }
}
