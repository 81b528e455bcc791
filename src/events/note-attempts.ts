import { onAttempt, type Attempt } from '../attempts.js'
import type { Application } from '../declarations.js'
import { deviceOf } from '../refresh-token/device.js'
import type { AuthenticationService } from '../refresh-token/index.js'
import type { RefreshToken } from '../refresh-token/token.js'
import { accountName } from '../validators.js'
import { deviceKey } from './device-key.js'
import type { Noted } from './event.js'

const longestName = 512 // characters: what is longer names nobody, and is not kept waiting

/** Sign-ins, refused ones too, and refreshes with a token that is in two hands. */
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
  if (outcome !== 'refused' && outcome !== 'disabled' && outcome !== 'limited') {
    return undefined
  }

  const account: unknown = context.data?.[context.service.configuration.local?.usernameField ?? 'email']

  return {
    type: 'sign-in-refused',
    strategy,
    reason: outcome,
    device: deviceOf(undefined, context.params),
    ...(typeof account === 'string' && account.length <= longestName && { account: accountName(account) }),
    retryAfter: (error as { data?: { retryAfter?: number } }).data?.retryAfter ?? 0
  }
}

/** Who presents a token that is in two hands; the session's end is noted besides. */
function ofRefresh({ outcome, context }: Attempt): Noted | undefined {
  if (outcome !== 'reused') {
    return undefined
  }

  const { service, data, params } = context
  const token = parsed(service, data![service.settings.field])

  // One that another package issued says nothing; that its session ended, and why, is noted all the same
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
