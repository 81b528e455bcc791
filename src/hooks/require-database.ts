import type { HookContext, NextFunction } from '../declarations.js'

/** Around all methods: nothing is done on a database whose indexes are not there yet. @throws Unavailable */
export const requireDatabase =
  () =>
  async ({ app }: HookContext, next: NextFunction) => {
    app.get('database').requirePrepared()

    return next()
  }
