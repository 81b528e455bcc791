import { NotAuthenticated } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import type { AccountUser } from '../account-users.js'
import type { AccountsByMail } from '../accounts-by-mail.js'
import type { Client } from '../outbox/job.js'
import type { AccountChange } from './account-change.js'

export interface EmailVerificationOptions {
  accounts: AccountsByMail
  /** The client that makes a call. */
  clientOf: (params: Params) => Client
  /** Verifies the password of a user. Throws a 429 after too many wrong ones. */
  verifyPassword: (password: string, user: AccountUser) => Promise<boolean>
  /** Whether a passkey is that of a user, as its response to a challenge for a sign-in says. */
  verifyPasskey?: (assertion: object, user: AccountUser, params: Params) => Promise<boolean>
  /** Called when an address has been verified, changed or restored. */
  report?: (change: AccountChange) => void
}

/** The token of a link with the proof of who uses it, unless the user is signed in; or `keep`, to revert the change. */
interface LinkUse {
  token: string
  password?: string
  passkey?: object
  keep?: boolean
}

/** The service `email-verifications`: verifies addresses, and reverts changes of address. */
export class EmailVerificationService {
  private readonly options: EmailVerificationOptions

  constructor(options: EmailVerificationOptions) {
    this.options = options
  }

  /**
   * Requests a mail with a link. The answer is the same whether or not an account has the address.
   *
   * @throws NotAuthenticated without an address, unless the caller is signed in
   */
  async create({ email }: { email?: string }, params: Params): Promise<object> {
    const { accounts, clientOf } = this.options
    const client = clientOf(params)

    if (email !== undefined) {
      await accounts.emailVerifications.ask({ email }, client)
    } else if (client.userId !== undefined) {
      await accounts.emailVerifications.ask({ userId: client.userId }, client)
    } else {
      throw new NotAuthenticated('Not authenticated')
    }

    return {}
  }

  /**
   * Uses the link.
   *
   * @throws LinkRefused; NotAuthenticated unless the caller is the user, or has the password or a passkey
   */
  async patch(id: string, { token, password, passkey, keep }: LinkUse, params: Params): Promise<object> {
    const { accounts, clientOf, verifyPassword, verifyPasskey, report } = this.options
    const { emailVerifications, emailChanges, users } = accounts

    if (keep) {
      const kept = await emailChanges.keep(id, token)

      report?.({ type: 'email-kept', userId: users.idOf(kept), params })
      return {}
    }

    const { user, outcome } = await emailVerifications.use(
      id,
      token,
      async (owner) =>
        users.idOf(owner) === clientOf(params).userId ||
        (password !== undefined && (await verifyPassword(password, owner))) ||
        (passkey !== undefined &&
          verifyPasskey !== undefined &&
          (await verifyPasskey(passkey, owner, params)))
    )

    report?.({
      type: outcome === 'changed' ? 'email-changed' : 'email-verified',
      userId: users.idOf(user),
      params
    })
    return {}
  }
}
