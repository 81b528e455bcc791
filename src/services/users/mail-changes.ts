import type { Document } from 'mongodb'
import type { AccountUser } from '../../accounts/index.js'
import type { AccountsByMail } from '../../accounts/internal.js'
import type { HookContext } from '../../declarations.js'
import type { UserService } from './users.class.js'
import type { UserPatch } from './users.schema.js'

/**
 * Before a client patches a user, with mail: a new address becomes pending until it is verified. One that an admin sets
 * takes effect at once, and the old address is notified. So is the user of a new password.
 */
export const mailChanges = () => async (context: HookContext<UserService>) => {
  const { app, params, id, service } = context
  const accounts = app.get('accountsByMail')
  const data = context.data as UserPatch

  if (!accounts || !params.provider || (data.email === undefined && data.password === undefined)) {
    return
  }

  const userId = String(service.getObjectId(id!))
  const stored = await accounts.users.byId(userId)

  if (stored) {
    const isOwn = userId === String(params.user!._id)
    const update = updateOf(accounts, stored, data, isOwn)

    context.data = update as never
    context.params = { ...params, isEmailPending: update.pendingEmail !== undefined }
  }
}

function updateOf(
  accounts: AccountsByMail,
  stored: AccountUser,
  { email, ...rest }: UserPatch,
  isOwn: boolean
): Document {
  const present = accounts.users.emailOf(stored)
  const notices = rest.password === undefined ? [] : [accounts.passwordResets.noticeOfChange(stored)]
  const told = notices.length > 0 && { $push: { notices: { $each: notices } } }

  if (email === undefined) {
    return { ...rest, ...told }
  }
  if (email === present) {
    return { ...rest, $unset: { pendingEmail: '' }, ...told }
  }
  if (isOwn) {
    return { ...rest, pendingEmail: email, ...told }
  }

  const { $set, $push } = accounts.emailChanges.updateTo(stored, email, true)

  return {
    ...rest,
    ...$set,
    $unset: { pendingEmail: '', emailVerification: '', passwordReset: '' },
    $push: { ...$push, notices: { $each: [...$push.notices.$each, ...notices] } }
  }
}

/**
 * After the patch: mails a link to the pending address; also to a user whose password an admin has set, to choose one
 * that nobody else knows.
 */
export const mailLinks =
  () =>
  async ({ app, params, id, data, result, service }: HookContext<UserService>) => {
    const accounts = app.get('accountsByMail')

    if (!accounts || !params.provider) {
      return
    }

    const userId = String(service.getObjectId(id!))

    if (params.isEmailPending) {
      await accounts.askForChange(userId)
    }
    if ((data as UserPatch).password !== undefined && userId !== String(params.user!._id)) {
      // As if by the user, so that strangers can't have used up the limit
      await accounts.passwordResets.ask((result as { email: string }).email, userId)
    }
  }
