import type { HookContext } from '../../declarations.js'
import { isOwn } from './delicate.js'
import type { UserService } from './users.class.js'
import type { UserPatch } from './users.schema.js'

/** Before a client patches a user: notes whether the user chose the new password, or has to, since an admin knows it. */
export const noteWhoChose = () => async (context: HookContext<UserService>) => {
  const data = context.data as UserPatch

  if (context.params.provider && data.password !== undefined) {
    const noted = isOwn(context) ? { $unset: { newPasswordNeeded: '' } } : { newPasswordNeeded: true }

    context.data = { ...data, ...noted } as never
  }
}
