import type { HookContext } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import { clearCookie } from './cookie.js'

/** After `remove` of the authentication service: clears the cookie of a client that signs out over HTTP. */
export const clearRefreshTokenCookie = () => async (context: HookContext) => {
  const { cookie } = (context.service as unknown as AuthenticationService).settings

  if (cookie && context.params.provider === 'rest') {
    clearCookie(context, cookie)
  }
}
