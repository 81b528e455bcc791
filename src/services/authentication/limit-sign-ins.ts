import { kindOf } from './attempts.js'
import { groupOf } from '../../rate-limits/limit-by-address.js'
import type { HookContext, NextFunction } from '../../declarations.js'
import type { AuthenticationService } from '../../refresh-token/index.js'
import { accountName } from '../users/account-name.js'

/**
 * Around `create` of the authentication service: limits sign-ins by address and by the account that they name, whether
 * or not it exists, and refreshes by address. The address comes first, so that attempts beyond its limit don't count
 * against the account. A step-up counts for its session alone: strangers who guess the password can't stop it.
 *
 * @throws TooManyRequests before anything is verified, so that it doesn't tell a right password from a wrong one
 */
export const limitSignIns = () => async (context: HookContext<AuthenticationService>, next: NextFunction) => {
  const { signIn, stepUp, refresh } = context.app.get('rateLimits')
  const kind = context.params.provider && kindOf(context)

  if (kind === 'refresh') {
    await refresh.address?.take(groupOf(context))
  }
  if (kind === 'sign-in' || kind === 'step-up') {
    await signIn.address?.take(groupOf(context))

    const account = accountOf(context)

    const session =
      account !== undefined && kind === 'step-up' ? await sessionOf(account, context) : undefined

    if (session !== undefined && stepUp.account) {
      return stepUp.account.attempt(session, next)
    }
    if (account !== undefined && signIn.account) {
      return signIn.account.attempt(account, next, () => isOf(account, context))
    }
  }

  return next()
}

/** The account that a sign-in names, if any. */
const accountOf = ({ service, data }: HookContext<AuthenticationService>): string | undefined =>
  nameIn(data, service.configuration.local?.usernameField)

/** Whether a sign-in was to that account: another strategy may ignore the name in the request. */
function isOf(account: string, { service, result }: HookContext<AuthenticationService>): boolean {
  const { entity, local } = service.configuration

  return nameIn(result![entity!], local?.entityUsernameField ?? local?.usernameField) === account
}

/** The live session that a step-up is made in, if it is one of that account. */
async function sessionOf(
  account: string,
  { service, params }: HookContext<AuthenticationService>
): Promise<string | undefined> {
  try {
    const { userId, sessionId } = await service.currentSession(params)
    const { local } = service.configuration
    const user = (await service.live.findUser(userId)).user()

    return nameIn(user, local?.entityUsernameField ?? local?.usernameField) === account
      ? sessionId
      : undefined
  } catch {
    return undefined
  }
}

function nameIn(data: Record<string, unknown> | undefined, field = 'email'): string | undefined {
  const name = data?.[field]

  return typeof name === 'string' ? accountName(name) : undefined
}
