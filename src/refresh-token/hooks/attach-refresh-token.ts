import { JWTStrategy } from '@feathersjs/authentication'
import type { HookContext } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import { RefreshTokenStrategy } from '../refresh-token-strategy.js'
import { deviceOf } from '../device.js'
import { present, type SessionRecord } from '../session.js'

/**
 * After `create` of the authentication service: opens the session of a login, and attaches its refresh token to the
 * answer, or the stored one that it may reuse. A refresh gets the successor of the token it used. The `jwt` strategy
 * gets nothing: a short credential is not traded for a long one.
 */
export const attachRefreshToken = () => async (context: HookContext) => {
  const service = context.service as unknown as AuthenticationService
  const strategy = service.getStrategy(context.data.strategy)

  if (strategy instanceof JWTStrategy) {
    const { session: _session, ...result } = context.result

    context.result = result
  } else {
    const session: SessionRecord =
      strategy instanceof RefreshTokenStrategy ? context.result.session : await openSession(service, context)

    context.result = answer(service, context, session)
  }

  context.http = { ...context.http, headers: { ...context.http?.headers, ...notStored } }
}

const notStored = { 'Cache-Control': 'no-store', Pragma: 'no-cache' } // RFC 6749 §5.1

async function openSession(service: AuthenticationService, context: HookContext): Promise<SessionRecord> {
  const { data, params, result } = context
  const { payload } = result.authentication
  const getsToken = service.settings.strategies.includes(data.strategy)
  const session = await service.sessions.open(payload.sub, {
    id: payload.sid,
    strategy: data.strategy,
    device: deviceOf(data.device, params),
    unchanged: service.unchangedSince(result[service.configuration.entity!]),
    ...(!getsToken && { expiresAt: new Date(payload.exp * 1000) })
  })

  if (session.id !== payload.sid) {
    await signFor(session, service, context)
  }

  return session
}

/** The login reuses a session: its access token has to be that session's. */
async function signFor(
  session: SessionRecord,
  service: AuthenticationService,
  context: HookContext
): Promise<void> {
  const { result } = context
  const {
    sub,
    iat: _iat,
    exp: _exp,
    jti: _jti,
    iss: _iss,
    aud: _aud,
    ...payload
  } = result.authentication.payload
  const expiresIn = service.accessLife(session.expiresAt.getTime())
  const accessToken = await service.createAccessToken(
    { ...payload, sid: session.id },
    { subject: sub, expiresIn }
  )

  context.result = {
    ...result,
    accessToken,
    authentication: { ...result.authentication, payload: await service.verifyAccessToken(accessToken) }
  }
}

function answer(service: AuthenticationService, { result }: HookContext, session: SessionRecord) {
  const { accessToken, ...rest } = result
  const { sub } = result.authentication.payload

  return {
    accessToken,
    ...(session.renewable && { [service.settings.field]: service.mintRefreshToken(sub, session) }),
    ...rest,
    session: present(session, session.id)
  }
}
