import { NotAuthenticated } from '@feathersjs/errors'
import type { Params } from '@feathersjs/feathers'
import type { AccountUser } from '../account-users.js'
import type { AccountsByMail } from '../accounts-by-mail.js'
import type { AccountChange } from './account-change.js'

export interface EmailVerificationOptions {
  accounts: AccountsByMail
  /** The id of the user who is signed in, if anybody is. */
  userId: (params: Params) => string | undefined
  /** Whether a password is that of a user. Throws a 429 after too many wrong ones. */
  verifyPassword: (password: string, user: AccountUser) => Promise<boolean>
  /** Whether a passkey is that of a user, as its response to a challenge for a sign-in says. */
  verifyPasskey?: (assertion: object, user: AccountUser, params: Params) => Promise<boolean>
  /** Called when an address has been verified, changed or kept. */
  report?: (change: AccountChange) => void
}

/** The token of a link, and who uses it, unless that is signed in; or that the old address is kept. */
interface LinkUse {
  token: string
  password?: string
  passkey?: object
  keep?: boolean
}

/** The service `email-verifications`: proofs of addresses, and changes of address that are taken back. */
export class EmailVerificationService {
  private readonly options: EmailVerificationOptions

  constructor(options: EmailVerificationOptions) {
    this.options = options
  }

  /**
   * Asks for a mail with a link. Answers the same, whatever account has the address, if any.
   *
   * @throws NotAuthenticated without an address, unless the caller is signed in
   */
  async create({ email }: { email?: string }, params: Params): Promise<object> {
    const { accounts, userId } = this.options
    const own = userId(params)

    if (email !== undefined) {
      await accounts.emailVerifications.ask({ email })
    } else if (own !== undefined) {
      await accounts.emailVerifications.ask({ userId: own })
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
    const { accounts, userId, verifyPassword, verifyPasskey, report } = this.options
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
        users.idOf(owner) === userId(params) ||
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
