import type { HookContext } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import { clearCookie } from './cookie.js'

/** After `remove` of the authentication service: clears the cookie of a client that signs out over HTTP. */
export const clearRefreshTokenCookie = () => async (context: HookContext) => {
  const service = context.service as unknown as AuthenticationService

  if (service.settings.cookie && context.params.provider === 'rest') {
    clearCookie(context, service)
  }
}
