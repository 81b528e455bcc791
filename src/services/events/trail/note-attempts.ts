import { onAttempt, type Attempt, type Outcome } from '../../authentication/attempts.js'
import type { Application } from '../../../declarations.js'
import { addressGroup } from '../../../http/client-address.js'
import { RecoveryCodeStrategy } from '../../../factors/index.js'
import { FactorStrategy, type AuthenticationService } from '../../../refresh-token/index.js'
import { deviceOf, type RefreshToken } from '../../../refresh-token/internal.js'
import { accountName, isAccountName } from '../../users/account-name.js'
import { deviceKey } from './device-key.js'
import type { Noted } from './event.js'

const noted: Outcome[] = ['refused', 'disabled', 'unverified', 'limited']

/** Notes sign-ins and step-ups, including refused ones, and the reuse of refresh tokens. */
export function noteAttempts(app: Application, note: (event: Noted) => void): void {
  onAttempt(app, (attempt) => {
    const event = attempt.kind === 'refresh' ? ofRefresh(attempt) : ofSignIn(attempt)

    if (event) {
      note(event)
    }
    if (event?.sessionId && isBy(attempt, RecoveryCodeStrategy)) {
      const { userId, sessionId, device } = event

      note({ type: 'recovery-code-used', userId: userId!, sessionId, device })
    }
  })
}

const isBy = ({ context, strategy }: Attempt, type: abstract new (...args: never[]) => unknown): boolean =>
  context.service.getStrategy(strategy) instanceof type

function ofSignIn(attempt: Attempt): Noted | undefined {
  const { kind, outcome, strategy, context, error } = attempt

  if (outcome === 'ok') {
    const { authentication, session } = context.result!

    // As in Feathers, a strategy may sign in without a user, whose login has no session
    if (!session) {
      return undefined
    }

    const { device } = session
    const signIn = { userId: authentication.payload.sub, sessionId: session.id, strategy, device }

    return kind === 'step-up'
      ? { type: 'stepped-up', ...signIn }
      : {
          type: 'signed-in',
          ...signIn,
          deviceKey: deviceKey(device),
          ...(device.ip !== undefined && { network: addressGroup(device.ip) })
        }
  }

  // A wrong code, or a password of another account; to other strategies, what is invalid is no guess
  const isWrongCode =
    outcome === 'invalid' &&
    (context.service.steppingUp(context.params) !== undefined || isBy(attempt, FactorStrategy))

  if (!isWrongCode && !noted.includes(outcome)) {
    return undefined
  }

  const account: unknown = context.data?.[context.service.configuration.local?.usernameField ?? 'email']

  return {
    type: 'sign-in-refused',
    strategy,
    reason: outcome,
    device: deviceOf(undefined, context.params),
    // At a step-up, whoever is signed in may try the password of somebody else, who is to see that
    ...(typeof account === 'string'
      ? isAccountName(account) && { account: accountName(account) }
      : userOf(attempt)),
    retryAfter: (error as { data?: { retryAfter?: number } }).data?.retryAfter ?? 0
  }
}

/** Whose challenge an attempt was to answer; or who was to step up, as the access token says that was let in. */
function userOf({
  strategy,
  context: { data, params, service }
}: Attempt): Pick<Noted, 'userId'> | undefined {
  try {
    const userId = data?.stepUp
      ? service.steppingUp(params)
      : service.gate.parseChallenge(String((service.getStrategy(strategy) as FactorStrategy).gateOf(data!)))
          .sub

    return userId === undefined ? undefined : { userId }
  } catch {
    return undefined
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
