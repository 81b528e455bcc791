import type { HookContext, NextFunction } from '../declarations.js'

/** Around all methods: refuses calls until the indexes exist. @throws Unavailable */
export const requireDatabase =
  () =>
  async ({ app }: HookContext, next: NextFunction) => {
    app.get('database').requirePrepared()

    return next()
  }
