import type { HookContext } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'

/** After `remove` of the authentication service: ends the session of the access token that signed out. */
export const endSession = () => async (context: HookContext) => {
  const service = context.service as unknown as AuthenticationService
  const { session: _session, ...result } = context.result
  // Another strategy of the app may have authenticated this call, without a session
  const { sid } = result.authentication?.payload ?? {}
  const { connection } = context.params

  // The connection that signs out stays open; the session's other ones are disconnected
  if (sid && connection?.session?.id === sid) {
    await service.handleConnection('logout', connection, result)
  }

  if (sid) {
    await service.sessions.end(service.userIdOf(result)!, sid, 'logout')
  }

  context.result = result
}
