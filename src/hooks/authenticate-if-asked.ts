import { authenticate } from '@feathersjs/authentication'
import type { HookContext, NextFunction } from '../declarations.js'

/** Around any method: authenticates calls with a token, and lets others pass. @throws Refused */
export const authenticateIfAsked = () => {
  const authenticated = authenticate('jwt')

  return (context: HookContext, next: NextFunction) =>
    context.params.authentication ? authenticated(context, next) : next()
}
