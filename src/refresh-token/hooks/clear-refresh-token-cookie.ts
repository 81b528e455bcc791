import type { HookContext } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import { clearCookie } from '../cookie.js'

/** After `remove` of the authentication service: who signs out over HTTP keeps no refresh token in a cookie. */
export const clearRefreshTokenCookie = () => async (context: HookContext) => {
  const { cookie } = (context.service as unknown as AuthenticationService).settings

  if (cookie && context.params.provider === 'rest') {
    clearCookie(context, cookie)
  }
}
