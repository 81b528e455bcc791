import type { HookContext, NextFunction } from '@feathersjs/feathers'
import { requireRecent } from '../refresh-token/index.js'

/**
 * Before or around `create` of `passkey-challenges`, after the access token has been verified: who adds a passkey has to have
 * signed in lately.
 *
 * @throws StepUpNeeded
 */
export function recentToRegister() {
  const recent = requireRecent({ within: '10m' })

  return async (context: HookContext, next?: NextFunction): Promise<void> => {
    if (context.params.authentication && context.data.purpose === 'register') {
      await recent(context)
    }

    await next?.()
  }
}
