import { onAttempt, type Attempt } from '../../authentication/attempts.js'
import type { Application } from '../../../declarations.js'
import type { AuthenticationService } from '../../../refresh-token/index.js'
import { deviceOf, type RefreshToken } from '../../../refresh-token/internal.js'
import { accountName, isAccountName } from '../../users/account-name.js'
import { deviceKey } from './device-key.js'
import type { Noted } from './event.js'

/** Notes sign-ins, including refused ones, and the reuse of refresh tokens. */
export function noteAttempts(app: Application, note: (event: Noted) => void): void {
  onAttempt(app, (attempt) => {
    const event = attempt.kind === 'sign-in' ? ofSignIn(attempt) : ofRefresh(attempt)

    if (event) {
      note(event)
    }
  })
}

function ofSignIn({ outcome, strategy, context, error }: Attempt): Noted | undefined {
  if (outcome === 'ok') {
    const { authentication, session } = context.result!

    // As in Feathers, a strategy may sign in without a user, whose login has no session
    if (!session) {
      return undefined
    }

    const { device } = session

    return {
      type: 'signed-in',
      userId: authentication.payload.sub,
      sessionId: session.id,
      strategy,
      device,
      deviceKey: deviceKey(device)
    }
  }
  if (outcome !== 'refused' && outcome !== 'disabled' && outcome !== 'unverified' && outcome !== 'limited') {
    return undefined
  }

  const account: unknown = context.data?.[context.service.configuration.local?.usernameField ?? 'email']

  return {
    type: 'sign-in-refused',
    strategy,
    reason: outcome,
    device: deviceOf(undefined, context.params),
    ...(typeof account === 'string' && isAccountName(account) && { account: accountName(account) }),
    retryAfter: (error as { data?: { retryAfter?: number } }).data?.retryAfter ?? 0
  }
}

/** The device that presented a reused token. The end of its session is a separate event. */
function ofRefresh({ outcome, context }: Attempt): Noted | undefined {
  if (outcome !== 'reused') {
    return undefined
  }

  const { service, data, params } = context
  const token = parsed(service, data![service.settings.field])

  // A token that another package issued can't be parsed; the end of its session is noted anyway
  return (
    token && {
      type: 'token-reused',
      userId: token.sub,
      sessionId: token.sid,
      device: deviceOf(undefined, params)
    }
  )
}

function parsed(service: AuthenticationService, raw: unknown): RefreshToken | undefined {
  try {
    return service.parseRefreshToken(String(raw))
  } catch {
    return undefined
  }
}
