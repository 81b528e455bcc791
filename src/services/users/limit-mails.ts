import type { HookContext, NextFunction } from '../../declarations.js'
import { limitByAddress } from '../../rate-limits/limit-by-address.js'
import { isOwn } from './delicate.js'
import type { UserService } from './users.class.js'
import type { UserPatch } from './users.schema.js'

/**
 * Around `create` and `patch` of a user, with mail: a client who gives an address has it mailed to, which is limited like
 * the mails that it asks for. An admin may change any number of users.
 *
 * @throws TooManyRequests
 */
export const limitMails = () => {
  const limit = limitByAddress('mail')

  return async (context: HookContext<UserService>, next: NextFunction) =>
    context.app.get('accountsByMail') && givesAddress(context) ? limit(context, next) : next()
}

const givesAddress = (context: HookContext<UserService>): boolean =>
  context.method === 'create' || ((context.data as UserPatch | null)?.email !== undefined && isOwn(context))
