import type { HookContext, NextFunction } from '../declarations.js'
import { addressGroup } from '../http/client-address.js'

// Calls without an address share one limit: a sign-in in the headers of a handshake has none
const nowhere = 'unknown'

/** The key that a client's calls are counted under. */
export const groupOf = ({ params }: Pick<HookContext, 'params'>) =>
  addressGroup(params.ip ?? params.connection?.ip ?? nowhere)

/** Around a method: limits the calls of clients by their address. @throws TooManyRequests */
export const limitByAddress =
  (name: 'signUp' | 'mail' | 'passkeyChallenges') => async (context: HookContext, next: NextFunction) => {
    if (context.params.provider) {
      await context.app.get('rateLimits')[name].address?.take(groupOf(context))
    }

    return next()
  }
