import { JWTStrategy } from '@feathersjs/authentication'
import type { HookContext } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import { RefreshTokenStrategy } from '../strategies/refresh-token.js'
import { deviceOf } from '../sessions/device.js'
import { present, type SessionRecord } from '../sessions/session.js'
import { openedSession, type LoginContext } from './undo-login.js'

/**
 * After `create` of the authentication service: opens the session of a login and attaches its refresh token to the
 * answer, or the stored one that the login may reuse. A refresh gets the successor of the token it used. The `jwt`
 * strategy gets none: a short-lived credential must not be traded for a long-lived one. As in Feathers, a strategy may
 * sign in without a user, whose login has no session.
 */
export const attachRefreshToken = () => async (context: LoginContext) => {
  const service = context.service as unknown as AuthenticationService
  const strategy = service.getStrategy(context.data.strategy)

  if (strategy instanceof JWTStrategy) {
    const { session: _session, ...result } = context.result

    context.result = result
  } else if (service.isOfSession(context.result)) {
    const session: SessionRecord =
      strategy instanceof RefreshTokenStrategy ? context.result.session : await openSession(service, context)

    context.result = answer(service, context, session)
  }

  context.http = { ...context.http, headers: { ...context.http?.headers, ...noStore } }
}

const noStore = { 'Cache-Control': 'no-store', Pragma: 'no-cache' } // RFC 6749 §5.1

async function openSession(service: AuthenticationService, context: LoginContext): Promise<SessionRecord> {
  const { data, params, result } = context
  const { payload } = result.authentication
  const userId = service.userIdOf(result)!
  const session = await service.sessions.open(userId, {
    id: payload.sid,
    strategy: data.strategy,
    device: deviceOf(data.device, params),
    unchanged: service.unchangedSince(result[service.configuration.entity!]),
    ...(!service.getsRefreshToken(data.strategy) && { expiresAt: new Date(payload.exp * 1000) })
  })

  if (session.id === payload.sid) {
    context[openedSession] = { userId, session }
  } else {
    context.result = await service.ofSession(result, session)
  }

  return session
}

function answer(service: AuthenticationService, { result }: HookContext, session: SessionRecord) {
  const entity = service.configuration.entity!
  const { accessToken, [entity]: user, ...rest } = result
  const userId = service.userIdOf(result)!

  return {
    accessToken,
    ...(session.renewable && { [service.settings.field]: service.mintRefreshToken(userId, session) }),
    ...rest,
    // Feathers' local strategy answers the password's hash, which the app may not hide
    [entity]: service.withoutSecrets(user),
    session: present(session, session.id)
  }
}
