import type { HookContext } from '@feathersjs/feathers'
import { ObjectId, type Document } from 'mongodb'
import type { AccountsByMail } from './accounts-by-mail.js'

/** Before a user is created: adds the mail that verifies the address to the stored user. */
export const verifyNewUsers = (accounts: AccountsByMail) => async (context: HookContext) => {
  const withMail = (user: Document): Document => {
    const _id: unknown = user._id ?? new ObjectId()

    return { ...user, _id, ...accounts.emailVerifications.ofNewAccount(String(_id)) }
  }

  context.data = Array.isArray(context.data) ? context.data.map(withMail) : withMail(context.data)
}

/** Before a client patches a user: makes a new address pending until it is verified. */
export const pendEmail = (accounts: AccountsByMail) => async (context: HookContext) => {
  const { [accounts.users.emailField]: email, ...rest } = context.data as Document

  if (context.params.provider && typeof email === 'string' && context.id != null) {
    const user = await accounts.users.byId(String(context.id))

    if (user && accounts.users.emailOf(user) !== email) {
      context.data = { ...rest, pendingEmail: email }
    }
  }
}

/** After a patch: mails a link to the pending address, and notifies the current one. */
export const mailPending = (accounts: AccountsByMail) => async (context: HookContext) => {
  if (context.params.provider && (context.data as Document).pendingEmail !== undefined) {
    await accounts.askForChange(String(context.id))
  }
}
