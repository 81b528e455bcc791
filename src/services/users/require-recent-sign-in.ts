import { NotAuthenticated } from '@feathersjs/errors'
import type { HookContext } from '../../declarations.js'
import type { UserService } from './users.class.js'

const within = 10 * 60 // s: somebody who finds an unattended session can't have signed in recently

/**
 * Before `remove` of a user by a client: deleting one's own account requires a recent sign-in, according to `auth_time`
 * in the access token. The refusal asks for one (RFC 9470 §3).
 *
 * @throws NotAuthenticated `step-up`
 */
export const requireRecentSignIn =
  () =>
  async ({ app, id, params, service }: HookContext<UserService>) => {
    const isOwn = params.provider && id && String(service.getObjectId(id)) === String(params.user!._id)
    const authTime: unknown = params.authentication?.payload?.auth_time
    const age = typeof authTime === 'number' ? app.get('now')() / 1000 - authTime : Infinity

    if (isOwn && age > within) {
      throw new NotAuthenticated('Sign in again: this takes a recent sign-in', {
        reason: 'step-up',
        within,
        factors: []
      })
    }
  }
