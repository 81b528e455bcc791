import type { HookContext } from '../../declarations.js'
import { currentCaller } from '../../hooks/recheck-caller.js'
import { needsAdmin, requireRights, type Caller, type Change } from './rights.js'
import type { UserService } from './users.class.js'
import type { UserPatch } from './users.schema.js'

/**
 * Before `patch` and `remove` of a user by a client, as the last hook: checks the caller's rights again, since the call may
 * have waited for its turn to hash a password. The service then makes them a condition of the write.
 *
 * @throws Refused `revoked`, `expired`, `disabled`; Forbidden, NotFound
 */
export const guardWrite = () => async (context: HookContext<UserService>) => {
  const { app, params, service, id: targetId } = context

  // The service itself refuses to remove all users at once
  if (!params.provider || targetId === null || targetId === undefined) {
    return
  }

  const user = params.user!
  const id = String(user._id)
  const sessionId = params.session?.id
  const { sessionsField } = app.service('authentication').settings
  const change: Change = {
    id: String(service.getObjectId(targetId)),
    ...(context.method === 'patch' && { data: context.data as UserPatch })
  }
  const caller: Caller = {
    id,
    sessionId,
    filter: {
      disabled: { $ne: true },
      ...(sessionId && {
        [sessionsField]: { $elemMatch: { id: sessionId, expiresAt: { $gt: new Date(app.get('now')()) } } }
      }),
      ...(needsAdmin(id, change) && { roles: 'admin' })
    },
    recheck: async () => requireRights({ ...user, ...(await currentCaller(app, params)) }, change)
  }

  await caller.recheck()
  context.params = { ...params, caller }
}
