import { kindOf } from '../attempts.js'
import { addressGroup } from '../client-address.js'
import type { HookContext, NextFunction } from '../declarations.js'
import type { AuthenticationService } from '../refresh-token/index.js'
import { accountName } from '../validators.js'

// All that tell no address share one limit: a sign-in in the headers of a handshake
const nowhere = 'unknown'
const groupOf = ({ params }: HookContext) => addressGroup(params.ip ?? params.connection?.ip ?? nowhere)

/** Around a method: so many calls of clients from one address. @throws TooManyRequests */
export const limitByAddress = (name: 'signUp') => async (context: HookContext, next: NextFunction) => {
  if (context.params.provider) {
    await context.app.get('rateLimits')[name].address?.take(groupOf(context))
  }

  return next()
}

/**
 * Around `create` of the authentication service: sign-ins by address, and by the account they name, whether there is
 * one or not; refreshes by address. The address comes first: what it may not try does not count against an account.
 *
 * @throws TooManyRequests before anything is verified, so a right password is not told from a wrong one
 */
export const limitSignIns = () => async (context: HookContext<AuthenticationService>, next: NextFunction) => {
  const { signIn, refresh } = context.app.get('rateLimits')
  const kind = context.params.provider && kindOf(context)

  if (kind === 'refresh') {
    await refresh.address?.take(groupOf(context))
  }
  if (kind === 'sign-in') {
    const account = accountOf(context)

    await signIn.address?.take(groupOf(context))

    if (account !== undefined && signIn.account) {
      return signIn.account.attempt(account, next, () => isOf(account, context))
    }
  }

  return next()
}

/** The account that a sign-in names. */
const accountOf = ({ service, data }: HookContext<AuthenticationService>): string | undefined =>
  nameIn(data, service.configuration.local?.usernameField)

/** Whether a sign-in was that of the account: another strategy may not even look at what the request calls itself. */
function isOf(account: string, { service, result }: HookContext<AuthenticationService>): boolean {
  const { entity, local } = service.configuration

  return nameIn(result![entity!], local?.entityUsernameField ?? local?.usernameField) === account
}

function nameIn(data: Record<string, unknown> | undefined, field = 'email'): string | undefined {
  const name = data?.[field]

  return typeof name === 'string' ? accountName(name) : undefined
}
