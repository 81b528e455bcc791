import { JWTStrategy } from '@feathersjs/authentication'
import type { HookContext } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import { consequencesOf } from '../consequences.js'
import type { Login } from '../factor-gate.js'
import { cookieAsked, type CookieContext } from '../cookie/refresh-token-cookie.js'
import { RefreshTokenStrategy } from '../strategies/refresh-token.js'
import { deviceOf, named } from '../sessions/device.js'
import { GateClosed } from '../sessions/gate.js'
import type { NewSession } from '../sessions/opening.js'
import { present, type SessionRecord } from '../sessions/session.js'
import { undoLogin } from './undo-login.js'

/**
 * After `create` of the authentication service: opens the session of a login and attaches its refresh token to the
 * answer, or the stored one that the login may reuse. A refresh gets the successor of the token it used. The `jwt`
 * strategy gets none: a short-lived credential must not be traded for a long-lived one. As in Feathers, a strategy may
 * sign in without a user, whose login has no session. A step-up keeps its session, and the refresh token of that.
 *
 * @throws FactorNeeded for a user with a factor, who has not given it
 */
export const attachRefreshToken = () => async (context: CookieContext) => {
  const service = context.service as unknown as AuthenticationService
  const strategy = service.getStrategy(context.data.strategy)
  const login = service.issuedLogin(context.result)

  if (strategy instanceof JWTStrategy) {
    const { session: _session, ...result } = context.result

    context.result = result
  } else if (login && context.data.stepUp) {
    context.result = answer(service, context, context.result.session, false)
  } else if (login) {
    const session: SessionRecord =
      strategy instanceof RefreshTokenStrategy
        ? context.result.session
        : await openSession(service, context, login)

    context.result = answer(service, context, session)
  }

  context.http = { ...context.http, headers: { ...context.http?.headers, ...noStore } }
}

const noStore = { 'Cache-Control': 'no-store', Pragma: 'no-cache' } // RFC 6749 §5.1

async function openSession(
  service: AuthenticationService,
  context: CookieContext,
  { first, ...credentials }: Login
): Promise<SessionRecord> {
  const { data, params, result } = context
  const { payload } = result.authentication
  const userId = service.userIdOf(result)!
  const strategy = first?.strategy ?? data.strategy
  const device = deviceOf(first?.device ?? data.device, params)
  const consequences = consequencesOf(params)
  const opened: NewSession = {
    ...credentials,
    id: payload.sid,
    strategy,
    device,
    unchanged: service.unchangedSince(result[service.configuration.entity!]),
    // A login that a later hook refuses displaces nothing
    ...(consequences && { later: (answered) => consequences.push({ answered }) }),
    ...(!service.getsRefreshToken(strategy) && { expiresAt: new Date(payload.exp * 1000) })
  }
  const session = await service.gate
    .answering(first, () => service.sessions.open(userId, opened))
    .catch((error: unknown) => {
      throw error instanceof GateClosed
        ? service.gate.refusal(error.user, {
            sub: userId,
            sid: payload.sid,
            strategy,
            device: named(device),
            amr: credentials.amr,
            cookie: context[cookieAsked] ?? service.handsOverInCookie(strategy)
          })
        : error
    })

  if (session.id === payload.sid) {
    consequences?.push({ failed: () => undoLogin(service, params.connection, userId, session) })
  } else {
    context.result = await service.ofSession(result, session)
  }

  return session
}

function answer(
  service: AuthenticationService,
  { result }: HookContext,
  session: SessionRecord,
  isRenewable = session.renewable
) {
  const entity = service.configuration.entity!
  const { accessToken, [entity]: user, ...rest } = result
  const userId = service.userIdOf(result)!

  return {
    accessToken,
    ...(isRenewable && { [service.settings.field]: service.mintRefreshToken(userId, session) }),
    ...rest,
    // Feathers' local strategy answers the password's hash, which the app may not hide
    [entity]: service.withoutSecrets(user),
    session: present(session, session.id)
  }
}
