import type { HookContext } from '../../declarations.js'
import { requireRecent } from '../../refresh-token/index.js'
import { factorsOf } from '../../refresh-token/internal.js'
import type { UserService } from './users.class.js'
import type { UserPatch } from './users.schema.js'

const recent = requireRecent({ within: '10m' }) // who walks up to an open session hasn't signed in just now

/** Before `remove` of a user by a client: deleting the own account takes a recent sign-in. @throws StepUpNeeded */
export const recentIfOwn = () => async (context: HookContext<UserService>) => {
  if (isOwn(context)) {
    await recent(context)
  }
}

/**
 * So do another address, a first password, and roles. The current password will do for a new one, unless the user has a
 * factor.
 *
 * @throws StepUpNeeded
 */
export async function requireRecentFor(context: HookContext<UserService>): Promise<void> {
  const { email, password, roles } = context.data as UserPatch
  const isDelicate =
    roles !== undefined ||
    (isOwn(context) && (email !== undefined || (password !== undefined && (await takesMore(context)))))

  if (isDelicate) {
    await recent(context)
  }
}

/** Whether the current password is not enough, or there is none. */
async function takesMore({ app, params }: HookContext<UserService>): Promise<boolean> {
  const service = app.service('authentication')
  const user = await service.storedUser(String(params.user!._id))

  return !service.hasPassword(user) || factorsOf(user).length > 0
}

/** Whether a client changes its own user. */
export function isOwn({ id, params, service }: HookContext<UserService>): boolean {
  return (
    params.provider !== undefined &&
    id != null &&
    String(service.getObjectId(id)) === String(params.user!._id)
  )
}
