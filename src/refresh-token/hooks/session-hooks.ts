import { attachRefreshToken } from './attach-refresh-token.js'
import { clearRefreshTokenCookie } from '../cookie/clear-refresh-token-cookie.js'
import { endSession } from './end-session.js'
import { refreshTokenCookie } from '../cookie/refresh-token-cookie.js'

/** All hooks of the authentication service: `app.service('authentication').hooks(sessionHooks())`. */
export const sessionHooks = () => ({
  around: {
    create: [refreshTokenCookie()]
  },
  after: {
    create: [attachRefreshToken()],
    remove: [endSession(), clearRefreshTokenCookie()]
  }
})
