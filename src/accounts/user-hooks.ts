import { BadRequest } from '@feathersjs/errors'
import type { HookContext, Id } from '@feathersjs/feathers'
import { Type } from '@feathersjs/typebox'
import { ObjectId, type Document } from 'mongodb'
import { checkedBy } from '../refresh-token/index.js'
import { emailSchema } from './email-schema.js'
import { hiddenFields, type AccountUser, type Notice } from './account-users.js'
import type { AccountsByMail } from './accounts-by-mail.js'

/**
 * Before a user is created: adds the mail that verifies the address to the stored user. Server code may know that it is
 * verified already, by an OAuth provider, and a user may have none.
 */
export const verifyNewUsers =
  ({ users, emailVerifications }: AccountsByMail) =>
  async (context: HookContext) => {
    const withMail = (user: Document): Document => {
      const _id: unknown = user._id ?? new ObjectId()

      return user.emailVerified === true || users.emailOf(user as AccountUser) === ''
        ? user
        : { ...user, _id, ...emailVerifications.ofNewAccount(String(_id)) }
    }

    context.data = Array.isArray(context.data) ? context.data.map(withMail) : withMail(context.data)
  }

/**
 * Before a client patches a user: makes a new address pending until it is verified, with the mails about it. A new
 * password ends such a request, which somebody else may have made.
 *
 * @throws BadRequest for several users at once, or for what is no address
 */
export const pendEmail = (accounts: AccountsByMail) => async (context: HookContext) => {
  const { emailField, passwordField } = accounts.users
  const { $set, ...plain } = context.data as Document
  const { [emailField]: email, ...data }: Document = { ...plain, ...$set }

  if (!context.params.provider || (email === undefined && !(passwordField in data))) {
    return
  }
  if (context.id == null) {
    throw new BadRequest('Addresses and passwords can not be changed for several users at once')
  }

  const notices = await noticesOf(accounts, context.id, email)

  context.data = notices
    ? { ...data, pendingEmail: email, $push: { ...data.$push, notices: { $each: notices } } }
    : { ...data, $unset: { ...data.$unset, pendingEmail: '' } }
}

/** Before a client replaces a user: the same, and keeps the fields that clients neither see nor change. */
export const keepFields = (accounts: AccountsByMail) => async (context: HookContext) => {
  const { users } = accounts
  const user = context.params.provider ? await users.byId(String(context.id)) : null

  if (user) {
    const { [users.emailField]: email } = context.data
    const notices = await noticesOf(accounts, context.id!, email)
    const kept = [users.emailField, 'emailVerified', ...hiddenFields].filter((field) => field in user)

    context.data = {
      ...context.data,
      ...Object.fromEntries(kept.map((field) => [field, user[field]])),
      ...(notices && { pendingEmail: email, notices: [...(user.notices ?? []), ...notices] })
    }
  }
}

/** The mails about another address of a user; undefined if it is the present one, or there is no such user. */
async function noticesOf(accounts: AccountsByMail, id: Id, email: unknown): Promise<Notice[] | undefined> {
  const { users } = accounts

  if (email === undefined) {
    return undefined
  }

  // It is mailed to, and stands in the mail to the present one
  const checked = checkedBy(Type.Object({ [users.emailField]: emailSchema }))({ [users.emailField]: email })
  const newEmail = String(checked[users.emailField])
  const user = await users.byId(String(id))

  return user && users.emailOf(user) !== newEmail ? accounts.noticesOfRequest(user, newEmail) : undefined
}
