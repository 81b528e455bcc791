import type { Document } from 'mongodb'
import type { AccountUser } from '../../accounts/index.js'
import type { AccountsByMail, Notice } from '../../accounts/internal.js'
import type { HookContext } from '../../declarations.js'
import { emailTaken } from '../../hooks/convert-errors.js'
import type { UserService } from './users.class.js'
import type { UserPatch } from './users.schema.js'

/**
 * Before a client patches a user, with mail: a new address becomes pending until it is verified. One that an admin sets
 * takes effect at once, and the old address is notified. So is the user of a new password. The mails are stored with the
 * change, so that none is lost.
 *
 * @throws Conflict for an address that its former owner may still take back
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

    if (!isOwn && data.email !== undefined && (await accounts.users.isKept(data.email, stored))) {
      throw emailTaken()
    }

    context.data = updateOf(accounts, stored, data, isOwn) as never
  }
}

function updateOf(
  accounts: AccountsByMail,
  stored: AccountUser,
  { email, $unset, ...rest }: UserPatch & { $unset?: Document },
  isOwn: boolean
): Document {
  const { users, emailChanges } = accounts
  const isNew = email !== undefined && email !== users.emailOf(stored)
  const notices = rest.password === undefined ? [] : noticesOfPassword(accounts, stored, email, isOwn)

  if (!isNew) {
    // A new password also ends the request for another address, which somebody else may have made
    return { ...rest, $unset: { ...$unset, pendingEmail: '' }, $push: { notices: { $each: notices } } }
  }
  if (isOwn) {
    const asked = accounts.noticesOfRequest(stored, email)

    return {
      ...rest,
      pendingEmail: email,
      ...($unset && { $unset }),
      $push: { notices: { $each: [...notices, ...asked] } }
    }
  }

  const { $set, $push } = emailChanges.updateTo(stored, email, true)

  return {
    ...rest,
    ...$set,
    $unset: { ...$unset, pendingEmail: '', emailVerification: '', passwordReset: '' },
    $push: { ...$push, notices: { $each: [...$push.notices.$each, ...notices] } }
  }
}

/** To the user of a new password; with a link to choose one that nobody else knows, if an admin has set it. */
const noticesOfPassword = (
  { passwordResets, users }: AccountsByMail,
  stored: AccountUser,
  email = users.emailOf(stored),
  isOwn: boolean
): Notice[] => [
  passwordResets.noticeOfChange(stored),
  ...(isOwn ? [] : [passwordResets.noticeToChoose(users.idOf(stored), email)])
]
