import type { HookContext, NextFunction } from '../../declarations.js'
import { readDocument, type EntityParams } from '../../refresh-token/internal.js'

/** Around `get`: the user who asks is in memory since the call was authenticated, and needs no read for the answer. */
export const readFromMemory = () => async (context: HookContext, next: NextFunction) => {
  const { app, id } = context
  const params: EntityParams = context.params

  if (params.provider && !params[readDocument]) {
    const { cache } = app.service('authentication').live

    // Asked when it is read: it may have changed by then
    context.params = {
      ...params,
      [readDocument]: () => cache.get(String(id))?.user()
    } as HookContext['params']
  }

  return next()
}
