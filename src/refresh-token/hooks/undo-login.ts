import type { NextFunction } from '@feathersjs/feathers'
import type { AuthenticationService } from '../authentication-service.js'
import type { CookieContext } from '../cookie/refresh-token-cookie.js'
import type { SessionRecord } from '../sessions/session.js'

/** On the context of a login: the session that it opened. */
export const openedSession = Symbol('opened session')

export interface LoginContext extends CookieContext {
  [openedSession]?: { userId: string; session: SessionRecord }
}

/** Around `create` of the authentication service: ends the session of a login that a later hook refuses. */
export const undoLogin = () => async (context: LoginContext, next: NextFunction) => {
  try {
    await next()
  } catch (error) {
    const { [openedSession]: opened, service } = context

    if (opened) {
      const { sessions } = service as unknown as AuthenticationService

      await sessions.end(opened.userId, opened.session.id, 'logout')
    }

    throw error
  }
}
